package browser

import (
	"strings"
	"testing"
)

// Walk 3: a host's own firewall drops port 5985. The page says so and keeps what was
// known; the line that the doctor gives, typed on that host, mends it.
func TestSilentPort(t *testing.T) {
	m, f := up(t), farHost(t)
	manages(m, f.address)
	p := newPerson(t, browser(t, m.spki()))
	p.sits(desk)
	p.opens(m.console)
	p.signIn(m.user, m.password)
	p.sees("h1", "Dashboard")
	p.opens(m.console + "servers")
	row := `tr[data-name="` + f.address + `"]`
	p.sees(row, "Online")
	memory := p.text(row + ` [data-f="memory"]`)

	f.must("", "firewall", "kernel", "on", f.state())
	f.must("", "firewall", "disable", "Windows Remote Management", f.state())
	f.restart() // what is connected stays so
	f.silent(5985)
	p.clicks(row + ` input[name="server"]`)
	p.clicks(`#selection button[value="refresh"]`)
	p.sees(row, "Target computer not accessible")
	if got := p.text(row + ` [data-f="memory"]`); memory == "" || got != memory {
		t.Errorf("the memory is %q in the row; it was %q", got, memory)
	}
	p.looks("servers")
	p.sits(phone)
	p.looks("servers-phone")
	p.sits(desk)
	p.opens(m.console)
	p.sees(".need", f.address)
	p.sees(".need", "Target computer not accessible")
	p.clicks(`.need a[href="/servers/` + f.address + `"]`)
	p.sees("h1", f.address)
	p.sees(".asof", "Last known data, as of")
	p.looks("server")

	// Why, and what to type.
	p.clicks("p.reason a")
	p.sees("nav.tabs [aria-current]", "Doctor")
	p.clicks(`main form button.primary`)
	p.sees("#cause", "Cause")
	p.looks("doctor")
	p.sees("#cause", "firewall")
	line := ask[string](p, `[...document.querySelectorAll("[aria-labelledby=todo] pre")].map(e => e.innerText.trim()).find(t => t.startsWith("casement firewall")) || ""`)
	words := strings.Fields(strings.ReplaceAll(line, `"`, " "))
	if len(words) < 4 || words[0] != "casement" {
		t.Fatalf("the doctor's line is %q", line)
	}
	f.must("", "firewall", words[2], strings.Join(words[3:], " "), f.state())
	p.clicks(`main form button.primary`)
	p.sees("main .bar", "works")
	p.looks("mended")
	p.opens(m.console + "servers/" + f.address)
	p.sees(".head .badge", "Online")
}
