package browser

import (
	"fmt"
	"strings"
	"testing"
)

// Walk 9: who may only look sees every page, no control of which works that changes
// something, and says why; the same calls to the API are refused, and an Administrator
// finds who, when and what.
func TestMayOnlyLook(t *testing.T) {
	t.Parallel()
	m := up(t)
	_, address := host(t)
	manages(m, address)
	m.must(password+"\n", "user", "add", "looker", "--password-stdin", m.state())
	m.must("", "group", "create", "Casement Readers", m.state())
	m.must("", "group", "add", "Casement Readers", "looker", m.state())
	b := browser(t, m.spki())
	p := newPerson(t, b)
	p.sits(desk)
	p.opens(m.console)
	p.signIn("looker", password)
	p.sees("h1", "Dashboard")

	// Every page is seen, and what would change something is there, disabled, with why.
	server := "servers/" + address
	for page, controls := range map[string]int{
		"": 0, "events": 0, "alerts/all": 1, "servers": 5, "servers/add": 1, "work": 0, "query": 0, "audit": 0, "settings": 0, "settings/credentials": 1, "settings/roles": 1, "settings/console": 1, "settings/keys": 0,
		server: 1, server + "/events": 1, server + "/services": 1, server + "/performance": 1, server + "/disks": 1, server + "/roles": 1, server + "/users": 3, server + "/users?view=groups": 3,
		server + "/firewall": 2, server + "/firewall?view=rules": 2, server + "/management": 2, server + "/doctor": 1, server + "/shell": 1, server + "/query": 1,
		server + "/query?path=" + "Win32_OperatingSystem%3D%40": 3,
	} {
		p.opens(m.console + page)
		p.until(page+" to be there", `document.readyState == "complete" && !!document.querySelector("main h1")`)
		if said := p.text(".problem"); said != "" {
			t.Errorf("%s: %s", page, said)
		}
		// A Reader runs queries and the doctor, and keeps views and keys.
		found := ask[[]string](p, `[...document.querySelectorAll("main form")].filter(f => f.getAttribute("method") == "post" && !/\/(query|query\/save|doctor|views|events\/filters|events\/filters\/remove|settings|settings\/own|settings\/keys.*|signout)$/.test(f.getAttribute("action").split("?")[0])).
			flatMap(f => [...f.querySelectorAll("button:not([type=button]), input:not([type=hidden]), select, textarea")]).
			filter(e => e.name != "server" && !e.matches("[formmethod=get], [data-clear], [data-all]")).
			map(e => (e.disabled ? "" : "works ") + (e.title.includes("Needs the role") || e.tagName != "BUTTON" ? "" : "gives no reason ") + e.outerHTML.slice(0, 120))`)
		buttons := 0
		for _, f := range found {
			if strings.HasPrefix(f, "<button") {
				buttons++
			}
			if strings.HasPrefix(f, "works") && strings.Contains(f, "<button") || strings.HasPrefix(f, "gives no reason") {
				t.Errorf("%s: %s", page, f)
			}
		}
		if buttons < controls {
			t.Errorf("%s shows %d controls, want at least %d: %s", page, buttons, controls, found)
		}
	}
	p.opens(m.console + server + "/users")
	p.looks("users")
	p.sits(phone)
	p.opens(m.console + server + "/management")
	p.looks("phone-management")
	p.sits(desk)

	// The same, asked of the API by the person's own browser.
	p.expect("status of 403")
	for _, call := range [][3]string{
		{"POST", "/api/v1/work", fmt.Sprintf(`{"kind":"run","servers":[%q],"parameters":{"command":"id"}}`, address)},
		{"POST", "/api/v1/work", fmt.Sprintf(`{"kind":"remote-management","servers":[%q],"parameters":{"on":false}}`, address)},
		{"DELETE", "/api/v1/servers/" + address, ""},
		{"PATCH", "/api/v1/servers", fmt.Sprintf(`{"servers":[%q],"tag":["x"]}`, address)},
		{"POST", "/api/v1/servers/" + address + "/users", `{"name":"evil","password":"Evil-Secret-77"}`},
		{"POST", "/api/v1/servers/" + address + "/groups/Administrators/members", `{"member":"looker"}`},
		{"POST", "/api/v1/servers/" + address + "/firewall", `{"group":"Windows Remote Management","on":false}`},
		{"POST", "/api/v1/servers/" + address + "/invoke", `{"path":"Win32_Process","method":"Create"}`},
		{"PUT", "/api/v1/credentials/mine", `{"user":"x"}`},
		{"GET", "/api/v1/audit", ""},
	} {
		got := awaits[string](p, fmt.Sprintf(`fetch(%q, {method: %q, body: %q || undefined, headers: {"Content-Type": "application/json"}}).then(async a => a.status + " " + (a.headers.get("Content-Type") || "") + " " + await a.text())`, call[1], call[0], call[2]))
		if !strings.HasPrefix(got, "403 application/problem+json") || !strings.Contains(got, "It needs the role") {
			t.Errorf("%s %s: %s", call[0], call[1], got)
		}
	}
	if got := awaits[string](p, fmt.Sprintf(`fetch("/api/v1/servers/%s/users").then(async a => a.status + " " + await a.text())`, address)); !strings.HasPrefix(got, "200 ") || strings.Contains(got, "evil") {
		t.Errorf("what a Reader may: %.200s", got)
	}

	// Who, when, what.
	admin := newPerson(t, b)
	admin.sits(desk)
	admin.opens(m.console)
	admin.signIn(m.user, m.password)
	admin.sees("h1", "Dashboard")
	admin.opens(m.console + "audit?q=denied+looker")
	for _, want := range []string{`\looker`, "denied", "POST /api/v1/work", "DELETE /api/v1/servers/" + address, "the role Operator is needed", "GET /api/v1/audit", "/groups/Administrators/members"} {
		admin.sees("table", want)
	}
	if n := ask[int](admin, `document.querySelectorAll("tbody tr").length`); n < 10 {
		t.Errorf("%d entries", n)
	}
	if ask[int](admin, `document.querySelectorAll("tbody time").length`) < 10 {
		t.Error("entries have no time")
	}
	if strings.Contains(admin.text("main"), "Evil-Secret-77") {
		t.Error("the log has a password")
	}
	admin.looks("audit")
}
