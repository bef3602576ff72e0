package browser

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// ctrl presses a key with Ctrl held.
func (p *person) ctrl(key string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(key, chromedp.KeyModifiers(chromedp.ModifierCtrl)))
}

// strikes presses Enter or Tab as a keyboard does: where the page takes the key, it writes
// nothing.
func (p *person) strikes(key string, code int64) {
	p.t.Helper()
	for _, kind := range []input.DispatchKeyEventType{"rawKeyDown", "keyUp"} {
		if _, err := chromedp.Call(p.ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: kind, Key: key, Code: key, WindowsVirtualKeyCode: code}); err != nil {
			p.t.Fatal(err)
		}
	}
}

// Walk 7: ask everything. Classes, completion, a mistake, one server, a selection of 14.
func TestAskEverything(t *testing.T) {
	t.Parallel()
	m := up(t)
	_, address := host(t)
	manages(m, address)
	f := simulate(t, 14)
	f.join(m, "fleet")
	m.must("", "pool", "manage-as", address, "--credential", "pool", m.state()) // there are two for all
	m.must("", "pool", "refresh", "tag:fleet", m.state())
	p := newPerson(t, browser(t, m.spki()))
	p.sits(desk)
	p.opens(m.console)
	p.signIn(m.user, m.password)
	p.sees("h1", "Dashboard")

	// A link fills the editor and waits.
	page := m.console + "servers/" + address + "/query"
	p.opens(page + "?wql=" + url.QueryEscape("SELECT Caption FROM Win32_OperatingSystem"))
	p.sees("h1", address)
	p.until("the query in the editor", `document.getElementById("wql").value.includes("Win32_OperatingSystem")`)
	if p.text("#answernote") != "" || ask[bool](p, `!!document.querySelector("#answertable table")`) {
		t.Error("a link ran the query")
	}

	// The tree of namespaces, by keyboard: another namespace has other classes.
	p.sees("#nstree", "cimv2")
	ask[bool](p, `document.querySelector("#nstree [tabindex='0']").focus(), true`)
	p.until("the tree to be open", `document.activeElement.getAttribute("aria-expanded") == "true"`)
	for range 20 {
		if strings.EqualFold(ask[string](p, `document.activeElement.dataset.ns || ""`), `root\standardcimv2`) {
			break
		}
		p.presses(kb.ArrowDown)
	}
	p.presses(kb.Enter)
	p.until("the namespace in the form", `document.getElementById("ns").value.toLowerCase() == "root\\standardcimv2"`)
	p.writes("#find", "firewallrule")
	p.sees("#classlist", "MSFT_NetFirewallRule")
	p.screenshot("tree")
	p.fills("#ns", `root\cimv2`)

	// A class by part of its name; its qualifiers; a property.
	p.fills("#find", "operatingsys")
	p.sees("#classlist", "Win32_OperatingSystem")
	p.do(chromedp.Focus(chromedp.CSS(`#classlist li:first-child button`)))
	for range 20 {
		if ask[string](p, `document.activeElement.textContent`) == "Win32_OperatingSystem" {
			break
		}
		p.presses(kb.Tab)
	}
	p.presses(kb.Enter)
	p.sees("#classview h3", "Win32_OperatingSystem")
	p.sees("#classproperties", "LastBootUpTime")
	p.sees("#classview", "Win32Shutdown")
	p.do(chromedp.Click(chromedp.CSS(`#classview details summary`)))
	p.sees("#classview details[open]", "=")
	p.screenshot("class")

	// Completion: the class after FROM, a property elsewhere.
	p.fills("#wql", "SELECT Caption FROM Win32_OperatingSy")
	p.sees("#suggestions", "Win32_OperatingSystem")
	p.looks("completion")
	p.presses(kb.ArrowDown)
	p.strikes("Enter", 13)
	p.until("the class in the query", `document.getElementById("wql").value == "SELECT Caption FROM Win32_OperatingSystem"`)
	p.writes("#wql", " WHERE NumberOfU")
	p.sees("#suggestions", "NumberOfUsers")
	p.presses(kb.ArrowDown)
	p.strikes("Tab", 9)
	p.until("the property in the query", `document.getElementById("wql").value.endsWith(" WHERE NumberOfUsers")`)

	// A mistake is shown where it is.
	p.writes("#wql", " 7")
	p.ctrl(kb.Enter)
	p.sees("#wqlwrong", "line 1 col 63")
	p.sees("#wqlwrong", "0x80041017")
	if got := ask[string](p, `(w => w.value.slice(w.selectionStart, w.selectionEnd))(document.getElementById("wql"))`); got != "7" {
		t.Errorf("what is selected is %q", got)
	}
	p.screenshot("mistake")
	p.writes("#wql", ">= 0") // in the place of what is selected
	p.ctrl(kb.Enter)
	p.sees("#answernote", "1 row")
	p.sees("#answernote", "complete")
	p.sees("#answertable th", "Caption")
	p.clicks(`[data-view="json"]`)
	p.sees("#answertext", `"Caption": "`)
	p.clicks(`[data-view="csv"]`)
	p.sees("#answertext", "Caption")
	p.screenshot("csv")
	p.clicks(`[data-view="table"]`)

	// A row leads to its object.
	p.fills("#wql", "SELECT * FROM Win32_OperatingSystem")
	p.ctrl(kb.Enter)
	p.sees("#answertable th", "LastBootUpTime")
	for _, l := range []layout{deskDark, phone} {
		p.sits(l)
		p.looks(l.name + "-rows")
	}
	p.sits(desk)
	p.fills("#wql", "SELECT * FROM Win32_Group WHERE Name = 'Administrators'")
	p.ctrl(kb.Enter)
	p.sees("#answertable td", "Administrators")
	p.clicks(`#answertable tbody a`)
	p.sees("h2.path", "Win32_Group.")
	p.sees("#associators ~ ul", "Win32_UserAccount")
	p.sees(".method summary", "Rename(string Name)")
	p.sits(phone)
	p.looks("phone-object")
	p.sits(desk)

	// The selection of 14, by the table.
	p.opens(m.console + "servers?q=tag:fleet")
	p.sees("table", f.Hosts[13].Name)
	p.clicks("[data-all]")
	p.clicks(`button[formaction="/query"]`)
	p.sees("main", "On 14 servers")
	p.fills("#wql", "SELECT Name, State FROM Win32_Service WHERE Name = 'Spooler'")
	p.ctrl(kb.Enter)
	p.sees("section", "14 rows")
	p.sees("section", f.Hosts[13].Name)
	p.looks("many")
	p.sits(phone)
	p.screenshot("phone-many")
	p.sits(desk)
	csv := ask[string](p, `document.querySelector('a[href^="/query/rows.csv"]').getAttribute("href")`)
	lines := strings.Split(strings.TrimSpace(awaits[string](p, fmt.Sprintf(`fetch(%q).then(a => a.text())`, csv))), "\n")
	if len(lines) != 15 || lines[0] != "Server,Name,State" || lines[1] != f.Hosts[0].Name+",Spooler,Running" {
		t.Errorf("CSV: %q", lines)
	}

	// Who asked what is in the log, and the link's query is not.
	p.opens(m.console + "audit?q=query")
	p.sees("main", "Win32_Service WHERE Name")
	if strings.Contains(p.text("main"), "SELECT Caption FROM Win32_OperatingSystem\n") {
		t.Error("the link's query ran")
	}
}

// awaits is ask for an expression that is a promise.
func awaits[T any](p *person, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}
