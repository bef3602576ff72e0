package fleetsim_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/fleetsim"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

func TestMain(m *testing.M) {
	fleetsim.Main()
	os.Exit(m.Run())
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ask makes a query for one host and gives the first value of its rows.
func ask(ctx context.Context, url, user, password, query, property string) (rows int, first string, err error) {
	conn, err := casement.Dial(ctx, url, casement.Options{User: user, Password: password, HostsFile: "-"})
	if err != nil {
		return 0, "", err
	}
	defer conn.Close()
	e, err := conn.Query(ctx, `root\cimv2`, query)
	if err != nil {
		return 0, "", err
	}
	err = cim.Each(ctx, e, func(i *cim.Instance) error {
		if rows++; rows == 1 {
			first, _ = i.Get(property).Str()
		}
		return nil
	})
	return rows, first, err
}

// Each kind of host behaves as it says, over a real client.
func TestKinds(t *testing.T) {
	f, err := fleetsim.Start(t.Context(), fleetsim.Options{Hosts: 20, Dead: 0.1, Slow: 0.05, Garbage: 0.05, Endless: 0.05, Flooding: 0.05, Delay: 300 * time.Millisecond})
	check(t, err)
	t.Cleanup(func() { check(t, f.Close()) })
	seen := map[fleetsim.Kind]int{}
	addresses := map[string]bool{}
	for _, h := range f.Hosts {
		seen[h.Kind]++
		addresses[h.URL] = true
		t.Run(h.Name+" "+string(h.Kind), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			began := time.Now()
			query, property := "SELECT CSName FROM Win32_OperatingSystem", "CSName"
			if h.Kind == fleetsim.Flooding {
				query, property = "SELECT SystemName FROM Win32_Service", "SystemName"
			}
			rows, name, err := ask(ctx, h.URL, f.User, f.Password, query, property)
			took := time.Since(began)
			if took > 4*time.Second {
				t.Errorf("it took %s", took)
			}
			switch h.Kind {
			case fleetsim.Healthy:
				if rows != 1 || name != h.Name || err != nil {
					t.Errorf("%d rows, the first of %q: %v", rows, name, err)
				}
			case fleetsim.Slow:
				if rows != 1 || name != h.Name || err != nil || took < 600*time.Millisecond { // a proof and a query at least
					t.Errorf("%d rows, the first of %q, after %s: %v", rows, name, took, err)
				}
			case fleetsim.Refusing:
				var fault *wsman.Fault
				if !errors.As(err, &fault) || fault.Code != 0x80338112 || took > 2*time.Second {
					t.Errorf("after %s: %v", took, err)
				}
			case fleetsim.Flooding: // ends with the caller's patience
				if rows < 1000 || name != h.Name || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%d rows, the first of %q: %v", rows, name, err)
				}
			case fleetsim.Silent:
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("after %s: %v", took, err)
				}
			default: // fails before the caller's patience ends
				if err == nil || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("after %s: %v", took, err)
				}
			}
		})
	}
	if seen[fleetsim.Refusing] != 1 || seen[fleetsim.Silent] != 1 || seen[fleetsim.Slow] != 1 || seen[fleetsim.Healthy] != 14 || len(addresses) != 20 {
		t.Errorf("kinds %v, %d addresses", seen, len(addresses))
	}
}

// A fleet in a process of its own serves https too and tells what it uses.
func TestSpawn(t *testing.T) {
	p, err := fleetsim.Spawn(t.Context(), fleetsim.Options{Hosts: 3, TLS: true})
	check(t, err)
	defer func() { check(t, p.Close()) }()
	for _, h := range p.Hosts {
		conn, err := casement.Dial(t.Context(), h.URL, casement.Options{User: p.User, Password: p.Password, HostsFile: "-", TLS: wsmanclient.TLSOptions{SHA256: p.Thumbprint}})
		check(t, err)
		got, err := conn.Identify(t.Context(), false)
		check(t, err)
		check(t, conn.Close())
		if got.ProductVendor == "" {
			t.Errorf("%s: %+v", h.URL, got)
		}
	}
	if u, err := p.Usage(); err != nil || u.CPU <= 0 || u.RSS < 1<<20 || u.Goroutines < 3 {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	for _, o := range []fleetsim.Options{{}, {Hosts: fleetsim.MaxHosts + 1}, {Hosts: 10, Dead: 1.1}, {Hosts: 10, Slow: -1}, {Hosts: 10, Dead: 0.6, Slow: 0.6}} {
		if f, err := fleetsim.Start(t.Context(), o); err == nil {
			t.Errorf("%+v: started", o)
			check(t, f.Close())
		}
	}
}

// Services start and stop as on Windows, each host has its own, and a host that is
// killed in the middle of a call comes back at its address.
func TestServicesAndDeath(t *testing.T) {
	p, err := fleetsim.Spawn(t.Context(), fleetsim.Options{Hosts: 2})
	check(t, err)
	defer func() { check(t, p.Close()) }()
	tell := func(host int, service, method string) (int64, error) {
		t.Helper()
		conn, err := casement.Dial(t.Context(), p.Hosts[host].URL, casement.Options{User: p.User, Password: p.Password, HostsFile: "-"})
		check(t, err)
		defer conn.Close()
		s, err := conn.Session(t.Context(), `root\cimv2`)
		if err != nil {
			return 0, err
		}
		defer s.Close()
		path := cim.ObjectPath{Class: "Win32_Service", Keys: []cim.Key{{Name: "Name", Value: cim.Str(service)}}}
		r, err := s.Invoke(t.Context(), path, method, nil, cim.OperationOptions{})
		if err != nil {
			return 0, err
		}
		n, err := strconv.ParseInt(r.ReturnValue.String(), 10, 64)
		return n, err
	}
	for _, c := range []struct {
		host            int
		service, method string
		want            int64
	}{
		{0, "Spooler", "StopService", 3}, {0, "Fax", "StopService", 0}, {0, "Spooler", "StopService", 0}, {0, "Spooler", "StopService", 6},
		{0, "Spooler", "StartService", 0}, {0, "Spooler", "StartService", 10}, {1, "Spooler", "StopService", 3}, {0, "Spooler", "PauseService", 1},
	} {
		if got, err := tell(c.host, c.service, c.method); err != nil || got != c.want {
			t.Errorf("%s of %s on %d: %d, %v; want %d", c.method, c.service, c.host, got, err, c.want)
		}
	}
	rows, first, err := ask(t.Context(), p.Hosts[0].URL, p.User, p.Password, "ASSOCIATORS OF {Win32_Service.Name='Spooler'} WHERE AssocClass=Win32_DependentService ResultClass=Win32_Service Role=Antecedent", "State")
	if err != nil || rows != 1 || first != "Stopped" {
		t.Errorf("what needs Spooler: %d rows, %q, %v", rows, first, err)
	}
	check(t, p.Hold(p.Hosts[0].Name))
	died := make(chan error, 1)
	go func() {
		_, err := tell(0, "W32Time", "StopService")
		died <- err
	}()
	select {
	case err := <-died:
		t.Fatalf("a host that is held answers: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	check(t, p.Kill(p.Hosts[0].Name))
	if err := <-died; err == nil {
		t.Error("a host that was killed answers")
	}
	if _, err := tell(0, "W32Time", "StopService"); err == nil {
		t.Error("a host that was killed is there")
	}
	check(t, p.Revive(p.Hosts[0].Name))
	if got, err := tell(0, "Fax", "StopService"); err != nil || got != 6 {
		t.Errorf("after it came back: %d, %v", got, err)
	}
	check(t, p.Log(p.Hosts[1].Name))
	for n, want := range []int{0, 1} {
		if rows, _, err := ask(t.Context(), p.Hosts[n].URL, p.User, p.Password, "SELECT * FROM Win32_NTLogEvent WHERE EventCode = 41", "Message"); err != nil || rows != want {
			t.Errorf("host %d has %d new events, %v", n, rows, err)
		}
	}
	if p.Kill("HOST00009") == nil {
		t.Error("a host that is not there is killed")
	}
}
