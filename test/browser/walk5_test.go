package browser

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// fetches reads what a link of the page leads to, as a download does.
func (p *person) fetches(css string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf(`fetch(document.querySelector(%q).href).then(a => a.text())`, css), chromedp.EvalAwaitPromise))
	if err != nil {
		p.stuck("fetch "+css+": ", err)
	}
	return text
}

// online waits until so many rows of the table of servers are Online and need nobody.
func (p *person) online(n int) {
	p.t.Helper()
	p.until(fmt.Sprintf("%d servers online", n), fmt.Sprintf(`document.querySelectorAll("tr[data-name] td[data-f=state] .badge.ok").length == %d`, n))
}

// selects ticks servers of the table.
func (p *person) selects(names ...string) {
	p.t.Helper()
	for _, n := range names {
		p.clicks(`tr[data-name="` + n + `"] input[name="server"]`)
	}
}

// tells fills in the page on which many services are told something, and sends it.
func (p *person) tells(service, do string) {
	p.t.Helper()
	p.sees("h1", "Service on")
	p.fills("#service", service)
	ask[bool](p, fmt.Sprintf(`document.getElementById("do").value = %q, true`, do))
	p.clicks(`form[action="/service"] button.primary`)
}

// Walk 5: a service is stopped on one server, with what needs it, and started again; then
// one is restarted on fourteen, of which one dies in the middle.
func TestAService(t *testing.T) {
	t.Parallel()
	f := simulate(t, 14)
	m := up(t)
	f.join(m, "web")
	p := newPerson(t, browser(t, m.spki()))
	p.sits(desk)
	p.opens(m.console)
	p.signIn(m.user, m.password)
	p.sees("h1", "Dashboard")
	p.opens(m.console + "servers")
	p.online(14)

	// One server: the dialog names what needs the service.
	p.selects("HOST00002")
	p.sees("#selection", "1 selected")
	p.looks("selected")
	p.clicks(`button[value="service"]`)
	p.tells("Spooler", "stop")
	p.sees("dialog", "Stop Spooler on 1 server")
	p.sees("dialog", "Fax needs it, and runs on HOST00002. Windows refuses to stop what is needed.")
	p.looks("dependents")
	p.clicks(`dialog input[type="checkbox"]`)
	p.clicks(`dialog button.danger`)
	p.sees("h1", "Stop Spooler on HOST00002")
	p.sees("main", "Success; Fax stopped before")
	p.opens(m.console + "servers")
	p.sees(`tr[data-name="HOST00002"] td[data-f="reason"]`, "Spooler")
	p.until("▲", `document.querySelector("tr[data-name=HOST00002] .badge.attention") != null`)
	p.opens(m.console + "groups/web")
	p.until("▲ in the group", `document.querySelector("tr[data-name=HOST00002] .badge.attention") != null`)
	p.opens(m.console)
	p.sees(".need", "HOST00002")
	p.opens(m.console + "service?on=HOST00002")
	p.tells("Spooler", "start")
	p.sees("h1", "Start Spooler on HOST00002")
	p.sees("main", "Success")
	p.opens(m.console + "servers")
	p.online(14)

	// Fourteen: their number is typed. One takes the order, and dies before it answers.
	f.hold("HOST00007")
	p.clicks(`[data-all]`)
	p.sees("#selection", "14 selected")
	p.clicks(`button[value="service"]`)
	p.tells("W32Time", "restart")
	p.sees("dialog", "Restart W32Time on 14 servers")
	p.sees("dialog code", "14")
	if !ask[bool](p, `document.querySelector("dialog button.danger").disabled`) {
		t.Error("it can be sent before the number is typed")
	}
	p.writes(`dialog input[name="typed"]`, "14")
	p.looks("fourteen")
	p.clicks(`dialog button.danger`)
	p.sees("h1", "Restart W32Time on 14 servers")
	p.sees("[data-f=text]", "13 of 14 · 1 running")
	f.kill("HOST00007")
	p.sees(`tr[data-key="HOST00007"]`, "outcome unknown")
	p.sees("[data-f=text]", "14 of 14 · 1 outcome unknown")
	p.sees(".head", "partly failed")
	for _, l := range []layout{phone, deskDark, desk} {
		p.sits(l)
		p.looks(l.name + "-work")
	}
	if visible := ask[bool](p, `!document.querySelector("[data-f=retry]").hidden`); visible {
		t.Error("what may have happened can be retried")
	}
	csv := p.fetches(`a[href$="/results.csv"]`)
	if strings.Count(csv, ",done,0,") != 13 || !strings.Contains(csv, "\nHOST00007,outcome unknown,") {
		t.Errorf("the table: %s", csv)
	}
	for _, h := range f.Hosts {
		if n := f.stops(h.Name, "W32Time"); n != 1 {
			t.Errorf("%s was told to stop it %d times", h.Name, n)
		}
	}
	p.clicks(`a[data-f="failed"]`)
	p.sees("#selection", "1 selected")
	p.sees("caption", "1 server")

	// The table of servers does not move while somebody is in it.
	p.opens(m.console + "servers?sort=state")
	p.until("the dead one is first", `document.querySelector("tr[data-name]").dataset.name == "HOST00007"`)
	ask[bool](p, `document.querySelector("tr[data-name=HOST00009] a").focus(), true`)
	f.kill("HOST00009")
	m.command("pool", "refresh", "HOST00009", m.state()).Run() // it tells that it failed
	p.until("it is blocked, at its place", `document.querySelector("tr[data-name=HOST00009] .badge.blocked") != null`)
	p.sees("caption", "change")
	if at := ask[int](p, `[...document.querySelectorAll("tr[data-name]")].findIndex(r => r.dataset.name == "HOST00009")`); at < 2 {
		t.Errorf("its row moved to place %d under the focus", at)
	}
	p.looks("changes")
	p.clicks(`[data-resort] button`)
	p.until("it is among the first", `[...document.querySelectorAll("tr[data-name]")].findIndex(r => r.dataset.name == "HOST00009") < 2`)
}
