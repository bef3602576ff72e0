package browser

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// servers are those that the rows of a table are of.
func (p *person) servers() []string {
	p.t.Helper()
	return ask[[]string](p, `[...new Set([...document.querySelectorAll("table.rows tbody tr")].map(r => r.dataset.name))].sort()`)
}

// Walk 4: Monday morning. 212 servers, of which 3 need somebody; the events of five lead
// to just those five; they are filtered by their source, the filter is saved, is there on
// the next day, and its address shows a colleague the same.
func TestMondayMorning(t *testing.T) {
	t.Parallel()
	f := simulate(t, 212, `"Dead":0.009`, `"Full":0.004`, `"Failing":0.023`)
	var failing []string
	kinds := map[string]int{}
	for _, h := range f.Hosts {
		if kinds[h.Kind]++; h.Kind == "failing" {
			failing = append(failing, h.Name)
		}
	}
	slices.Sort(failing)
	if kinds["refusing"] != 1 || kinds["silent"] != 1 || kinds["full"] != 1 || len(failing) != 5 {
		t.Fatalf("the hosts are %v", kinds)
	}
	m := up(t)
	m.must(password+"\n", "user", "add", "bruno", "--password-stdin", m.state())
	m.must("", "group", "create", "Casement Readers", m.state())
	m.must("", "group", "add", "Casement Readers", "bruno", m.state())
	f.join(m, "fleet")

	p := newPerson(t, browser(t, m.spki()))
	p.sits(desk)
	p.expect("net::ERR_NETWORK_CHANGED") // other tests add addresses
	p.opens(m.console)
	p.signIn(m.user, m.password)
	p.sees("h1", "Dashboard")
	for end := time.Now().Add(3 * time.Minute); !strings.HasPrefix(p.text(".needtext"), "3 need you of 212"); time.Sleep(200 * time.Millisecond) { // without a reload
		if time.Now().After(end) {
			t.Fatalf("after the first round: %s", p.text("main"))
		}
	}
	p.sees(".need", "Target computer not accessible")
	p.sees(`section[aria-labelledby="card-all"]`, "Manageability\n2")
	p.sees(`section[aria-labelledby="card-all"]`, "Performance\n1")
	p.looks("dashboard")

	// What all of them write is not what counts.
	p.clicks(`section[aria-labelledby="card-all"] .cardfoot > a`)
	p.sees("h1", "Alerts: All servers")
	p.looks("alerts")
	p.fills(`input[name="ids"]`, "-7036")
	p.clicks(`button[value="save"]`)
	p.sees("h1", "Dashboard")
	p.sees(`section[aria-labelledby="card-all"]`, "Events\n5")
	p.sees(`section[aria-labelledby="card-group-fleet"]`, "Events\n5")

	// From the card to just those.
	p.clicks(`section[aria-labelledby="card-all"] a[href^="/events"]`)
	p.sees("h1", "Events")
	p.sees("main", "5 servers asked")
	if got := p.servers(); !slices.Equal(got, failing) {
		t.Errorf("the events are of %v, and those of %v count", got, failing)
	}
	p.sees("caption", "20 events")
	p.sees("tbody", "Ntfs")
	p.sees("[data-how]", "5 servers: Live")
	p.looks("events")
	p.writes(`input[name="source"]`, "disk\r")
	p.sees("caption", "15 events")
	p.seesNot("tbody", "Ntfs")
	if got := p.servers(); !slices.Equal(got, failing) {
		t.Errorf("the events of the disk are of %v, not of %v", got, failing)
	}
	p.clicks(`.views details:has(#filtername) > summary`)
	p.writes("#filtername", "Bad disks")
	p.clicks(`.views details:has(#filtername) button`)
	p.sees(".views .saved", "Bad disks")
	p.sees(".done", "Saved the filter Bad disks")
	page := p.url()

	// The next day the console was started anew, and the browser has no cookies.
	p.opens("about:blank")
	m.kill()
	m.start("--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--dcom-port", "0")
	path := page[strings.Index(page, "/events"):]
	p = newPerson(t, browser(t, m.spki()))
	p.sits(desk)
	p.expect("net::ERR_NETWORK_CHANGED")
	p.opens(m.console)
	p.signIn(m.user, m.password)
	p.sees(`section[aria-labelledby="card-all"]`, "Events\n5")
	p.opens(m.console + "events")
	p.sees("main", "5 servers asked")
	p.clicks(".views .saved a")
	p.sees("caption", "15 events")
	if got := p.url(); !strings.HasSuffix(got, path) {
		t.Errorf("the saved filter leads to %s, not to %s", got, path)
	}
	p.looks("next-day")

	// A colleague gets the address.
	b := newPerson(t, browser(t, m.spki()))
	b.sits(phone)
	b.expect("net::ERR_NETWORK_CHANGED")
	b.opens(strings.TrimSuffix(m.console, "/") + path)
	b.signIn("bruno", password)
	b.sees("h1", "Events")
	b.sees("caption", "15 events")
	if got := b.servers(); !slices.Equal(got, failing) {
		t.Errorf("the colleague sees %v", got)
	}
	if b.text(".views .saved") != "" {
		t.Error("the colleague has a filter that somebody else saved")
	}
	b.clicks("tbody tr summary")
	b.sees("tbody tr details[open]", "has a bad block")
	b.looks("colleague")

	// The same in every layout.
	for _, l := range []layout{deskDark, phone} {
		p.sits(l)
		for name, at := range map[string]string{"dashboard": "", "alerts": "alerts/all", "events": path[1:], "performance": "alerts/all/performance"} {
			p.opens(m.console + at)
			p.sees("h1", "")
			p.looks(l.name + "-" + name)
		}
	}
}
