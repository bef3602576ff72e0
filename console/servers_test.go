package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/pool/lists"
)

// What somebody chose for a table returns next time, for that user alone, and a link says
// all of it: spec/console.md 3.2.
func TestChoiceReturns(t *testing.T) {
	d := newDesk(t, with(entry("web01", "web"), pool.Online, ""), with(entry("db01"), pool.AccessDenied, "")).ready()
	b := d.as("read")
	if a, _ := d.post(b, "/views/last", url.Values{"base": {"/servers"}, "query": {"q=tag:web&sort=-contact&cols=name,tags,state"}}); a.StatusCode != http.StatusNoContent {
		t.Fatalf("keeping it: %s", a.Status)
	}
	a, _ := d.get(b, "/servers")
	if to := a.Header.Get("Location"); a.StatusCode != http.StatusSeeOther || to != "/servers?q=tag%3Aweb&sort=-contact" {
		t.Fatalf("next time: %s %q", a.Status, to)
	}
	_, page := d.get(b, "/servers?q=tag%3Aweb&sort=-contact")
	tags, state := strings.Index(page, `data-f="tags"`), strings.Index(page, `data-f="state"`)
	if tags < 0 || state < tags || strings.Contains(page, `data-f="cpu" data-label`) || strings.Contains(page, `data-name="db01"`) {
		t.Errorf("the columns in their order, and the filter: tags at %d, state at %d", tags, state)
	}
	if !strings.Contains(page, `cols=name%2Ctags%2Cstate`) {
		t.Error("a link does not say which columns")
	}
	// Clear shows all, and a bare address too from then on.
	if !strings.Contains(page, `href="/servers?cols=name%2Ctags%2Cstate&amp;sort=-contact"`) {
		t.Error("there is no link that clears the filter")
	}
	d.post(b, "/views/last", url.Values{"base": {"/servers"}, "query": {"q=&cols=name,state,reason,contact,os,cpu,memory,disk,tags"}})
	if a, page := d.get(b, "/servers"); a.StatusCode != http.StatusOK || !strings.Contains(page, `data-name="db01"`) || !strings.Contains(page, `data-f="cpu"`) {
		t.Errorf("after it was cleared: %s", a.Status)
	}
	if a, _ := d.get(d.as("oper"), "/servers"); a.StatusCode != http.StatusOK {
		t.Error("the choice of one is that of another")
	}
	for _, base := range []string{"", "/", "/settings", "//evil.example", "/servers/x"} {
		if a, _ := d.post(b, "/views/last", url.Values{"base": {base}, "query": {"q=x"}}); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("a choice for %q: %s", base, a.Status)
		}
	}
}

// The topic of a table tells which rows there are, in which order: spec/console.md 3.10.
func TestTableFollows(t *testing.T) {
	d := newDesk(t, with(entry("web01", "web", "tokyo"), pool.Online, ""), with(entry("web02", "web"), pool.Online, ""), with(entry("db01"), pool.Online, "")).ready()
	order := func(arg string) string {
		t.Helper()
		v, err := d.c.liveTable(t.Context(), arg)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Parts []struct {
				Title string
				Names []string
			}
			Caption string
		}
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		var parts []string
		for _, p := range got.Parts {
			parts = append(parts, strings.TrimPrefix(p.Title+":"+strings.Join(p.Names, ","), ":"))
		}
		return strings.Join(parts, " ") + " | " + got.Caption
	}
	check := func(arg, want string) {
		t.Helper()
		if got := order(arg); got != want {
			t.Errorf("%s: %q, want %q", arg, got, want)
		}
	}
	check("/servers?", "db01,web01,web02 | 3 servers")
	check("/servers?sort=-name", "web02,web01,db01 | 3 servers")
	check("/servers?q=tag:web", "web01,web02 | 2 of 3, filtered")
	check("/servers?group=tag", "tokyo:web01 web:web01,web02 –:db01 | 3 servers")
	check("/groups/tokyo?", "web01 | 1 server")
	check("/servers?on=WEB02&on=db01", "db01,web02 | 2 servers")
	check("/nowhere?", " | 0 servers")
	check("/servers?q=state:blocked", " | 0 of 3, filtered")
	d.pool.set("web02", pool.Snapshot{State: pool.AccessDenied, Level: pool.LevelBlocked, Missed: 3})
	waitFor(t, "the state", func() bool { e, _ := d.c.fleet.get("web02"); return e.State() == pool.AccessDenied })
	check("/servers?q=state:blocked", "web02 | 1 of 3, filtered · 1 stale")
	check("/servers?sort=state", "web02,db01,web01 | 3 servers · 1 stale")
}

// An export has the rows that are shown: of the group, the filter and the selection.
func TestExportIsWhatIsShown(t *testing.T) {
	d := newDesk(t, with(entry("web01", "web"), pool.Online, ""), with(entry("web02", "web"), pool.AccessDenied, "=cmd()"), with(entry("db01"), pool.Online, "")).ready()
	b := d.as("read")
	if _, body := d.get(b, "/servers/export?base=%2Fgroups%2Fweb&cols=name,reason&sort=-name"); body != "Name,Reason\nweb02,'=cmd()\nweb01,\n" {
		t.Errorf("CSV: %q", body)
	}
	var list struct {
		Total   int
		Servers []struct{ Name, State string }
	}
	_, body := d.get(b, "/servers/export?q=state:blocked&format=json")
	if err := json.Unmarshal([]byte(body), &list); err != nil || list.Total != 3 || len(list.Servers) != 1 || list.Servers[0].State != string(pool.AccessDenied) {
		t.Errorf("JSON: %v %s", err, body)
	}
	a, body := d.get(b, "/servers/export?format=list&on=db01&on=web01")
	l, err := lists.Read(strings.NewReader(body), "", "")
	var names []string
	if err == nil {
		for _, s := range l.Servers {
			names = append(names, s.Name)
		}
	}
	if !slices.Equal(names, []string{"db01", "web01"}) || !strings.Contains(a.Header.Get("Content-Disposition"), "server-list.csv") {
		t.Errorf("a list: %v %v", err, names)
	}
	for _, q := range []string{"base=/x", "format=xml", "q=colour:red"} {
		if a, _ := d.get(b, "/servers/export?"+q); a.StatusCode < 400 {
			t.Errorf("%s: %s", q, a.Status)
		}
	}
}

// A name that a server had leads to the page under the name that it has: spec/console.md
// 3.8.
func TestRenamedServerRedirects(t *testing.T) {
	e := with(entry("srv-new"), pool.Online, "")
	e.Former = []string{"srv-older", "srv-old"}
	d := newDesk(t, e, with(entry("other"), pool.Online, "")).ready()
	b := d.as("oper")
	for path, want := range map[string]string{
		"/servers/SRV-old":                        "/servers/srv-new",
		"/servers/srv-older/disks":                "/servers/srv-new/disks",
		"/servers/srv-old/events?level=1&q=a%2Fb": "/servers/srv-new/events?level=1&q=a%2Fb",
		"/servers/srv-old/services/Spooler":       "/servers/srv-new/services/Spooler",
	} {
		if a, _ := d.get(b, path); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != want {
			t.Errorf("%s: %s %q, want %q", path, a.Status, a.Header.Get("Location"), want)
		}
	}
	if a, body := d.get(b, "/api/v1/servers/srv-old"); a.StatusCode != http.StatusNotFound || !strings.Contains(body, "srv-old is called srv-new now.") {
		t.Errorf("a program: %s %s", a.Status, body)
	}
	if a, page := d.get(b, "/servers/srv-nev"); a.StatusCode != http.StatusNotFound || !strings.Contains(page, `href="/servers/srv-new"`) {
		t.Errorf("a name that none had: %s", a.Status)
	}
}
