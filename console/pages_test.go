package console

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/pool"
)

// entry is a server that was not asked yet.
func entry(name string, tags ...string) Entry {
	return Entry{pool.Entry{Server: pool.Server{Name: name, Tags: tags}}}
}

func with(e Entry, s pool.State, reason string) Entry {
	now := time.Now()
	e.Snapshot = &pool.Snapshot{Server: e.Name, State: s, Level: s.Level(), Reason: reason, Tried: now, Contact: now}
	return e
}

// waitFor gives the console time to hear of the pool.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s did not come", what)
}

func (d *desk) ready() *desk {
	waitFor(d.t, "the pool", func() bool { _, whole := d.c.fleet.all(); return whole })
	return d
}

// What a server says is text on every page.
func TestServersSupplyNoMarkup(t *testing.T) {
	evil := `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`
	e := with(entry("srv01", evil), pool.AccessDenied, evil)
	e.Snapshot.Facts = &pool.Facts{OS: evil, Domain: evil, Addresses: []string{evil}}
	e.Snapshot.Roles = []pool.Role{{Name: evil, DisplayName: evil, Type: "Role"}}
	e.Snapshot.Account = evil
	d := newDesk(t, e).ready()
	b := d.as("admin")
	for _, path := range []string{"/", "/servers", "/servers?q=<script>alert(1)</script>", "/servers?cols=os,domain,ipv4,as,roles", "/servers/<script>alert(1)</script>"} {
		a, body := d.get(b, strings.NewReplacer("<", "%3C", ">", "%3E").Replace(path))
		if strings.Contains(body, "<script>") || strings.Contains(body, "<img src=x") {
			t.Errorf("%s: markup of a server is in the page", path)
		}
		if a.StatusCode >= http.StatusInternalServerError {
			t.Errorf("%s: %s", path, a.Status)
		}
	}
}
