package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/internal/fleetsim"
	"github.com/casementhq/casement/pool"
)

// fleetPool connects to simulated hosts by their names.
type fleetPool struct {
	*memoryPool

	fleet *fleetsim.Fleet
}

func (p fleetPool) Connect(ctx context.Context, name string) (*casement.Connection, error) {
	for _, h := range p.fleet.Hosts {
		if h.Name == name {
			return casement.Dial(ctx, h.URL, casement.Options{User: p.fleet.User, Password: p.fleet.Password, HostsFile: "-"})
		}
	}
	return nil, errors.New("there is no such host")
}

// Before a service is stopped on several servers the dialog names what needs it, where,
// and of which servers that is not known; stopping those too is a choice.
func TestDependentsAreNamed(t *testing.T) {
	hosts, err := fleetsim.Start(t.Context(), fleetsim.Options{Hosts: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer hosts.Close() //nolint:errcheck // of a test
	d := &desk{t: t, pool: newMemoryPool(with(entry("HOST00001"), pool.Online, ""), with(entry("HOST00002"), pool.Online, ""), with(entry("dead"), pool.Offline, ""))}
	d.c = newConsole(t, fleetPool{d.pool, hosts}, t.TempDir())
	d.srv = httptest.NewUnstartedServer(d.c)
	d.srv.EnableHTTP2 = true
	d.srv.StartTLS()
	t.Cleanup(func() {
		d.c.streams.endAll()
		d.srv.Close()
	})
	d.ready()
	b := d.as("oper")
	ask := func(form url.Values) (k confirmation) {
		t.Helper()
		a, body := d.post(b, "/service", form, "Accept", "application/json")
		var q struct{ Confirm confirmation }
		if err := json.Unmarshal([]byte(body), &q); err != nil || a.StatusCode != http.StatusConflict {
			t.Fatalf("%s %s", a.Status, body)
		}
		return q.Confirm
	}
	k := ask(url.Values{"on": {"HOST00001", "HOST00002", "dead"}, "service": {"Spooler"}, "do": {"stop"}})
	if k.Title != "Stop Spooler on 3 servers" || k.Option == nil || k.Option.Label != "Stop Fax too" ||
		k.Effect != "Fax needs it, and runs on HOST00001, HOST00002. Windows refuses to stop what is needed. What needs it is not known of dead." {
		t.Errorf("%+v %+v", k, k.Option)
	}
	if none := ask(url.Values{"on": {"HOST00001"}, "service": {"W32Time"}, "do": {"restart"}}); none.Effect != "No running service needs it." || none.Option != nil {
		t.Errorf("a service that nothing needs: %+v", none)
	}
	for tick, want := range map[string]string{"": `{"service":"Spooler","do":"stop"}`, "yes": `{"service":"Spooler","do":"stop","dependents":true}`} {
		if tick != "" {
			k.Values.Set(k.Option.Name, tick)
		}
		if a, body := d.post(b, "/service", k.Values, "Accept", "application/json"); a.StatusCode != http.StatusOK {
			t.Fatalf("%s %s", a.Status, body)
		}
		if got := string(d.pool.works[0].Action.Parameters); got != want {
			t.Errorf("with %q it begins %s", tick, got)
		}
		k.Values.Del(k.Option.Name)
	}
	if a, page := d.post(b, "/service", url.Values{"on": {"HOST00001"}, "service": {"Spooler"}, "do": {"stop"}}); a.StatusCode != http.StatusOK || !strings.Contains(page, `<input type="checkbox" name="dependents" value="yes"> Stop Fax too`) {
		t.Errorf("without a script: %s %s", a.Status, page)
	}
}
