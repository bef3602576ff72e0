package browser

import (
	"testing"
)

// Events come while somebody looks and wait while they are paused; a chart goes on by
// itself, has a table with the same, and is switched off and on.
func TestTilesAreLive(t *testing.T) {
	t.Parallel()
	f := simulate(t, 1)
	name := f.Hosts[0].Name
	m := up(t)
	f.join(m)
	p := newPerson(t, browser(t, m.spki()))
	p.sits(desk)
	p.expect("net::ERR_NETWORK_CHANGED") // other tests add addresses
	p.opens(m.console + "servers/" + name + "/events")
	p.signIn(m.user, m.password)
	p.sees("h1", name)
	p.sees("[data-how]", "Live")
	before := ask[int](p, `document.querySelectorAll("tbody tr").length`)
	f.log(name)
	p.sees("tbody", "The system has rebooted without cleanly shutting down first.") // without a reload
	if got := ask[int](p, `document.querySelectorAll("tbody tr").length`); got != before+1 {
		t.Errorf("%d events, and %d after one more", before, got)
	}
	p.clicks("[data-pauseevents]")
	f.log(name)
	p.sees("caption [data-new]", "1 new event")
	if got := ask[int](p, `document.querySelectorAll("tbody tr").length`); got != before+1 {
		t.Errorf("%d events while they wait", got)
	}
	p.looks("paused")
	p.clicks("[data-pauseevents]")
	p.until("the second event", `[...document.querySelectorAll("tbody tr")].filter(r => r.innerText.includes("Kernel-Power")).length == 2`)
	p.clicks("tbody tr summary")
	p.clicks("tbody tr details[open] a")
	p.sees("h1", "Events")
	p.until("the same ID alone", `document.querySelectorAll("tbody tr").length == 2 && [...document.querySelectorAll("tbody tr")].every(r => r.innerText.includes("Kernel-Power"))`)

	p.opens(m.console + "servers/" + name + "/performance?span=1h")
	p.sees("h1", name)
	p.sees("main", "12")
	p.sees(`[data-f="perf.how"]`, "Live")
	points := `document.querySelector('svg[data-chart="cpu"]').querySelector("polyline").getAttribute("points").split(" ").length`
	p.until("a sample", points+" >= 1")
	first := ask[string](p, `document.querySelector('svg[data-chart="cpu"]').dataset.to`)
	p.until("the next sample", `document.querySelector('svg[data-chart="cpu"]').dataset.to > "`+first+`"`)
	for _, l := range []layout{desk, deskDark, phone} {
		p.sits(l)
		p.looks(l.name + "-performance")
	}
	p.sits(desk)
	p.opens(m.console + "servers/" + name + "/performance?view=table")
	p.sees("tbody[data-samples=cpu]", "12")
	p.looks("table")
	p.clicks(`button[name="counters"]`)
	p.sees("main", "Counters: off")
	p.clicks(`button[name="counters"]`)
	p.sees("main", "Counters: on")
	p.opens(m.console)
	p.sees("h1", "Dashboard")
	p.clicks("#changes summary")
	p.sees("#changes table", "Worse")
	p.clicks(`section[aria-labelledby="card-all"] .cardfoot summary`)
	p.clicks(`section[aria-labelledby="card-all"] .cardfoot button`)
	p.sees(".workline", "Refresh")
	p.sees(".workline", "1 of 1")
	p.looks("dashboard")
}
