package pool

import (
	"runtime"
	"testing"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/internal/fleetsim"
)

// spawned is a fleet in a process of its own, so that what is measured is the gatherer's.
func spawned(b testing.TB, hosts int) (*fleetsim.Process, signIn) {
	b.Helper()
	p, err := fleetsim.Spawn(b.Context(), fleetsim.Options{Hosts: hosts})
	must(b, err)
	b.Cleanup(func() { p.Close() })
	return p, signIn{Credentials: auth.Credentials{Username: p.User, Password: p.Password}}
}

func entryAt(h fleetsim.Host) Server { return Server{Name: h.Name, Endpoint: h.URL, Transport: WinRM} }

// BenchmarkProbe is one probe over the connection that is kept.
func BenchmarkProbe(b *testing.B) {
	fleet, as := spawned(b, 1)
	g := newTestGatherer(b, gatherOptions{Examine: noDoctor})
	s := g.refresh(b.Context(), entryAt(fleet.Hosts[0]), as, Snapshot{}, asking{full: true})
	if s.State != Online {
		b.Fatalf("%s: %s", s.State, s.Reason)
	}
	b.ReportAllocs()
	for b.Loop() {
		if s = g.refresh(b.Context(), entryAt(fleet.Hosts[0]), as, s, asking{}); s.State != Online {
			b.Fatalf("%s: %s", s.State, s.Reason)
		}
	}
}

// BenchmarkFull is one full refresh over the connection that is kept.
func BenchmarkFull(b *testing.B) {
	fleet, as := spawned(b, 1)
	g := newTestGatherer(b, gatherOptions{Examine: noDoctor})
	s := Snapshot{}
	b.ReportAllocs()
	for b.Loop() {
		if s = g.refresh(b.Context(), entryAt(fleet.Hosts[0]), as, s, asking{full: true}); s.State != Online {
			b.Fatalf("%s: %s", s.State, s.Reason)
		}
	}
}

// A host that is idle between probes holds no more than 40 kB here, its connection, proof
// and snapshot included, also after all its data was read.
func TestIdleMemory(t *testing.T) {
	const hosts = 100
	fleet, as := spawned(t, hosts)
	g := newTestGatherer(t, gatherOptions{Examine: noDoctor})
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what a pool of buffers holds is let go by the second
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before := heap()
	kept := make([]Snapshot, hosts)
	for n, h := range fleet.Hosts {
		if kept[n] = g.refresh(t.Context(), entryAt(h), as, Snapshot{}, asking{full: true}); kept[n].State != Online {
			t.Fatalf("%s: %s", kept[n].State, kept[n].Reason)
		}
	}
	each := int64(heap()-before) / hosts
	t.Logf("%d octets for each idle host", each)
	if each > 40<<10 {
		t.Errorf("%d octets for each idle host", each)
	}
	runtime.KeepAlive(kept)
}
