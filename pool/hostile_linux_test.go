package pool

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/internal/fleetsim"
	"github.com/casementhq/casement/settings"
)

// Hosts that answer garbage, never end, flood, are silent or slow spoil their own row: each
// refresh ends in bounded time and memory, and the healthy hosts beside them are Online.
func TestHostileHosts(t *testing.T) {
	fleet, err := fleetsim.Start(t.Context(), fleetsim.Options{Hosts: 12, Dead: 0.17, Slow: 0.085, Garbage: 0.085, Endless: 0.085, Flooding: 0.085, Delay: 300 * time.Millisecond})
	must(t, err)
	t.Cleanup(func() { fleet.Close() })
	g := newTestGatherer(t, gatherOptions{Examine: noDoctor, Settings: func() *settings.Client {
		return &settings.Client{NetworkDelayms: 100, URLPrefix: "wsman", Auth: settings.Auth{Negotiate: true, Kerberos: true}, DefaultPorts: settings.Ports{HTTP: 5985, HTTPS: 5986}}
	}})
	as := signIn{Credentials: auth.Credentials{Username: fleet.User, Password: fleet.Password}}
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	got := make([]Snapshot, len(fleet.Hosts))
	took := make([]time.Duration, len(fleet.Hosts))
	var all sync.WaitGroup
	for n, h := range fleet.Hosts {
		all.Go(func() {
			begin := time.Now()
			got[n] = g.refresh(t.Context(), Server{Name: h.Name, Address: "127.0.0.1", Endpoint: h.URL, Transport: WinRM}, as, Snapshot{}, asking{full: true})
			took[n] = time.Since(begin)
		})
	}
	all.Wait()
	runtime.GC()
	runtime.ReadMemStats(&during)
	kinds := map[fleetsim.Kind]int{}
	for n, h := range fleet.Hosts {
		kinds[h.Kind]++
		s := got[n]
		t.Logf("%s: %s in %v: %s", h.Kind, s.State, took[n].Round(time.Millisecond), s.Reason)
		if took[n] > refreshLimit {
			t.Errorf("%s took %v", h.Kind, took[n])
		}
		var want []State
		switch h.Kind {
		case fleetsim.Healthy, fleetsim.Slow:
			want = []State{Online}
		case fleetsim.Refusing, fleetsim.Silent:
			want = []State{NotComputerAccessible}
		case fleetsim.Flooding:
			want = []State{DataRetrievalFailures}
		default:
			want = []State{NotComputerAccessible, VerifyWinRM}
		}
		ok := false
		for _, w := range want {
			ok = ok || s.State == w
		}
		if !ok || s.State != Online && s.Reason == "" {
			t.Errorf("%s: %q because %q", h.Kind, s.State, s.Reason)
		}
	}
	if len(kinds) != 7 {
		t.Errorf("not all kinds of hosts are there: %v", kinds)
	}
	if grew := int64(during.HeapAlloc) - int64(before.HeapAlloc); grew > 64<<20 {
		t.Errorf("%d MiB more are held", grew>>20)
	}
}
