package browser

import (
	"fmt"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// password is that of the accounts that a test makes.
const password = "Correct-Horse-7"

// signIn signs somebody in who is at the sign-in page.
func (p *person) signIn(user, password string) {
	p.t.Helper()
	p.sees("h1", "Casement")
	p.fills(`input[name="user"]`, user) // it is kept after a wrong password
	p.writes(`input[name="password"]`, password)
	p.clicks(`.signin button.primary`)
}

var hostNumber atomic.Int32

// addresses are made for hosts before any browser runs, and go when all have ended: one
// that comes or goes meanwhile changes the network, at which Chromium gives up what it
// is loading. A listener has an address of an interface; one that exists is another test's.
var addresses struct {
	free chan string
	all  []string
	err  error
}

func reserve() {
	const most = 24
	addresses.free = make(chan string, most)
	for n := 11; n < 250 && len(addresses.all) < most; n++ {
		address := fmt.Sprintf("127.77.%d.7", n)
		if out, err := exec.Command("ip", "addr", "add", address+"/32", "dev", "lo").CombinedOutput(); err != nil {
			addresses.err = fmt.Errorf("an address cannot be made: %w: %s", err, out)
			continue
		}
		addresses.free <- address
		addresses.all = append(addresses.all, address)
	}
}

func giveBack() {
	for _, address := range addresses.all {
		_ = exec.Command("ip", "addr", "del", address+"/32", "dev", "lo").Run()
	}
}

// host is a machine at an address of its own, with the standard ports, where the
// Administrator has the password of the tests.
func host(t *testing.T) (m *machine, address string) {
	t.Helper()
	select {
	case address = <-addresses.free:
	default:
		missing(t, fmt.Sprintf("no address is free: %v", addresses.err))
	}
	m = newMachine(t)
	m.start("--http", address+":5985", "--https", address+":5986", "--console", "off")
	m.must(password+"\n", "user", "passwd", "Administrator", "--password-stdin", m.state())
	return m, address
}

// fills replaces what a field has.
func (p *person) fills(css, text string) {
	p.t.Helper()
	ask[bool](p, fmt.Sprintf(`document.querySelector(%q).value = "", true`, css))
	p.writes(css, text)
}

// Walk 1 and 2: the first minute, and red to green.
func TestFirstMinute(t *testing.T) {
	t.Parallel()
	m := up(t)
	var names []string
	for range 3 {
		_, address := host(t)
		names = append(names, address)
	}
	p := newPerson(t, browser(t, m.spki()))
	p.sits(desk)
	p.opens(m.console)
	p.looks("signin")
	p.expect("the server responded with a status of 401")
	p.signIn(m.user, "wrong password")
	p.sees(`[role="alert"]`, "Name or password is wrong.")
	p.signIn(m.user, m.password)
	p.sees("h1", "Dashboard")
	p.sees("main", "The pool is empty. Add the first server, or import a list.")
	p.looks("empty")

	// A credential for the whole pool, and a wrong one.
	for _, c := range [][2]string{{"pool", password}, {"wrong", "Not-The-Password-1"}} {
		p.opens(m.console + "settings/credentials")
		p.fills("#name", c[0])
		p.fills("#user", "Administrator")
		p.fills("#password", c[1])
		if c[0] == "pool" {
			p.fills("#for", "*")
		}
		p.looks("credentials")
		p.clicks(`form[action="/settings/credentials"] button.primary`)
		p.sees("th", c[0])
	}

	// Three servers by name; each is tested before.
	p.opens(m.console)
	p.clicks(`main a.primary`)
	p.sees("h1", "Add servers")
	p.looks("add")
	p.writes("#names", strings.Join(names, "\n"))
	p.clicks(`form.panel button[value="add"]`)
	p.sees("main", names[0])
	p.looks("tested")
	p.opens(m.console + "servers")
	for _, n := range names {
		p.sees(`tr[data-name="`+n+`"]`, "Online")
	}
	p.looks("servers")

	// One is managed with the wrong credential: the row says why.
	m.must("", "pool", "manage-as", names[1], "--credential", "wrong", m.state())
	if out, err := m.command("pool", "refresh", names[1], m.state()).CombinedOutput(); err == nil { // it tells that it failed
		t.Errorf("a refresh with the wrong password: %s", out)
	}
	p.sees(`tr[data-name="`+names[1]+`"]`, "Credentials not valid")
	p.opens(m.console)
	p.sees(".need", names[1])
	p.looks("needs")
	p.opens(m.console + "servers/" + names[1] + "/doctor")
	p.clicks(`main form button.primary`)
	p.sees("#cause", "Cause")
	p.looks("doctor")
	m.must("", "pool", "manage-as", names[1], "--credential", "pool", m.state())
	p.opens(m.console + "servers")
	m.must("", "pool", "refresh", names[1], m.state())
	p.sees(`tr[data-name="`+names[1]+`"]`, "Online") // without a reload
	p.looks("green")

	// Every page of a server, in every layout.
	for _, l := range []layout{desk, deskDark, phone} {
		p.sits(l)
		for _, tab := range []string{"", "events", "services", "performance", "disks", "roles", "users", "firewall", "firewall?view=rules", "management", "doctor", "shell", "query", "query?find=disk", "query?class=Win32_LogicalDisk"} {
			p.opens(strings.TrimSuffix(m.console+"servers/"+names[0]+"/"+tab, "/"))
			p.sees("h1", names[0])
			p.looks(l.name + "-server-" + strings.Map(func(r rune) rune {
				if strings.ContainsRune("?=", r) {
					return '-'
				}
				return r
			}, tab))
			p.hears(l.name + " " + tab)
		}
		for _, page := range []string{"", "servers", "servers/add", "servers/add?tab=import", "work", "query", "audit", "settings", "settings/credentials", "settings/roles", "settings/console", "settings/keys", "nowhere"} {
			if page == "nowhere" {
				p.expect("the server responded with a status of 404")
			}
			p.opens(m.console + page)
			p.sees("h1", "")
			p.looks(l.name + "-" + strings.NewReplacer("/", "-", "?", "-", "=", "-").Replace(page))
			p.hears(l.name + " " + page)
		}
	}
	p.sits(desk)

	// A shell: what is typed runs there.
	p.opens(m.console + "servers/" + names[0] + "/shell")
	p.clicks(`form[action$="/shell"] button`)
	p.sees("section.shell", "Connected")
	p.writes("#line", "echo sum $((40+2))"+kb.Enter)
	p.sees("pre.output", "sum 42")
	p.looks("shell-open")

	// A query.
	p.opens(m.console + "servers/" + names[0] + "/query")
	p.fills("#wql", "SELECT Name, Version FROM Win32_OperatingSystem")
	p.clicks("#queryform button.primary")
	p.sees("main", "1 row")
	p.looks("query-result")

	p.opens(m.console)
	p.clicks("details.menu summary")
	p.clicks(`form[action="/signout"] button`)
	p.sees("h1", "Casement on")
}
