package browser

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// does waits until something is so on a machine.
func does(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it is not so: %s", what)
		}
	}
}

// managed is a person signed in at a console whose pool has a box.
func managed(t *testing.T) (*person, *machine, *box) {
	t.Helper()
	b := newBox(t)
	m := up(t)
	m.must(password+"\n", "pool", "credential", "add", "pool", "--user", "Administrator", "--password-stdin", "--for", "all", m.state())
	m.must("", "pool", "add", b.address, m.state())
	m.must("", "pool", "refresh", b.address, m.state())
	p := newPerson(t, browser(t, m.spki()))
	p.sits(desk)
	p.opens(m.console)
	p.signIn(m.user, m.password)
	p.sees("h1", "Dashboard")
	return p, m, b
}

// What is done to a service on its page is done to the unit, and the page, the table and
// the dashboard follow: issue 6, services with start and stop.
func TestServiceOfAMachine(t *testing.T) {
	p, m, b := managed(t)
	page := m.console + "servers/" + b.address + "/services"
	p.expect("the server responded with a status of 409") // a question comes so
	p.opens(page)
	p.sees(`tr[data-key="spool"]`, "Running")
	p.looks("list")
	p.clicks(`tr[data-key="spool"] button[value="stop"]`)
	p.sees("dialog", "Stop spool on "+b.address)
	p.sees("dialog", "needs-spool")
	p.looks("question")
	p.clicks(`dialog .actions button:not(.danger)`)
	p.until("the dialog to be gone", `!document.querySelector("dialog")`)
	if got := b.active("spool"); got != "active" {
		t.Errorf("after Cancel spool is %s", got)
	}
	p.clicks(`tr[data-key="spool"] button[value="stop"]`)
	p.sees("dialog", "needs-spool")
	p.clicks(`dialog button.danger`)
	p.sees(".done", "Stopping spool on "+b.address+": done.")
	p.sees(`tr[data-key="spool"]`, "Stopped")
	p.looks("stopped")
	if got := b.active("spool"); got != "inactive" {
		t.Errorf("the unit is %s", got)
	}
	// Somebody starts it at the machine: the open page follows.
	b.inside("systemctl", "start", "needs-spool")
	p.sees(`tr[data-key="needs-spool"]`, "Running")
	p.sees(`tr[data-key="spool"]`, "Running")
	b.inside("systemctl", "stop", "spool")
	p.sees(`tr[data-key="spool"]`, "Stopped")
	p.clicks(`tr[data-key="spool"] button[value="start"]`)
	p.sees(".done", "Starting spool on "+b.address+": done.")
	p.sees(`tr[data-key="spool"]`, "Running")
	if got := b.active("spool"); got != "active" {
		t.Errorf("the unit is %s", got)
	}
	p.opens(page + "/spool")
	p.sees("h2", "spool")
	p.clicks(`button[value="disabled"]`)
	p.sees("dialog", "Disable spool")
	p.clicks(`dialog button.danger`)
	p.sees("dl", "Disabled")
	if got := strings.TrimSpace(b.inside("sh", "-c", "systemctl is-enabled spool || :")); got != "masked" {
		t.Errorf("the unit is %s", got)
	}

	// The same from the pool's command line, and what a service does not do is told.
	m.must("", "pool", "service", b.address, "spool", "stop", m.state())
	if got := b.active("spool"); got != "inactive" {
		t.Errorf("the unit is %s", got)
	}
	out, err := m.command("pool", "service", b.address, "spool", "start", m.state()).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "14 Service Disabled") {
		t.Errorf("starting what is disabled: %v %s", err, out)
	}
	p.opens(page)
	p.clicks(`tr[data-key="spool"] button[value="start"]`)
	p.sees(".problem", "Starting spool on "+b.address+" failed: Service Disabled 14")
	p.looks("refused")
	m.must("", "pool", "service", b.address, "spool", "manual", m.state())
	m.must("", "pool", "service", b.address, "spool", "restart", m.state())
	if got := b.active("spool"); got != "active" {
		t.Errorf("the unit is %s", got)
	}
	for _, l := range []layout{deskDark, phone} {
		p.sits(l)
		p.opens(page)
		p.sees(`tr[data-key="spool"]`, "Running")
		p.looks(l.name)
	}
}

// Walk 6, and the tick box of the firewall: WMI is let in and shut out by it; remote
// management is switched off, which Casement loses the server by, the state follows, and
// it is switched on again at the server by the line shown, and over DCOM.
func TestBranch(t *testing.T) {
	p, m, b := managed(t)
	page := m.console + "servers/" + b.address
	p.expect("the server responded with a status of 409") // a question comes so

	const wmi = "Windows Management Instrumentation (WMI)"
	tick := `input[aria-label="Allow ` + wmi + `"]`
	if out, ok := b.wmi(); ok || !strings.Contains(out, "0x800706BA") {
		t.Fatalf("WMI is let in before it is allowed: %s", out)
	}
	p.opens(page)
	p.sees("dl", "Remote management")
	p.clicks(`dd a[href$="/firewall"]`)
	p.until("the group to be off", `document.querySelector('`+tick+`').checked === false`)
	p.looks("firewall")
	p.clicks(tick)
	p.sees(".done", "Enabling the group "+wmi)
	p.until("the box to be ticked", `document.querySelector('`+tick+`').checked`)
	does(t, "a tick lets WMI in", func() bool { _, ok := b.wmi(); return ok })
	p.clicks(tick)
	p.sees("dialog", "Disable the group "+wmi)
	p.clicks(`dialog button.danger`)
	p.sees(".done", "Disabling the group "+wmi)
	does(t, "without the tick WMI is shut out", func() bool { _, ok := b.wmi(); return !ok })
	p.opens(page + "/management")
	p.clicks(`input[name="on"]`)
	p.clicks(`form[data-tick] button.primary`)
	p.sees("dialog", "DCOM does not answer there")
	p.sees("dialog", "casement Configure-SMRemoting.exe -enable")
	p.presses("\x1b")
	p.until("the box to show what is", `!document.querySelector("dialog") && document.querySelector('input[name="on"]').checked`)
	p.opens(page + "/firewall")
	p.clicks(tick)
	p.sees(".done", "Enabling the group "+wmi)
	does(t, "a tick lets WMI in", func() bool { _, ok := b.wmi(); return ok })

	// Off.
	p.opens(page)
	p.sees(`dd[data-live^="management:"]`, "Enabled")
	p.clicks(`dd a[href$="/management"]`)
	p.sees("#rm", "Enabled")
	p.looks("on")
	p.clicks(`input[name="on"]`)
	p.clicks(`form[data-tick] button.primary`)
	p.sees("dialog", "Casement itself will lose "+b.address)
	p.sees("dialog", "DCOM answers there and remains")
	p.looks("warning")
	p.until("nothing to be done before the name is typed", `document.querySelector("dialog button.danger").disabled`)
	p.writes(`dialog input[name="typed"]`, b.address)
	p.clicks(`dialog button.danger`)
	p.sees("#rm", "Disabled")
	p.sees(".head.server", "Remote management disabled") // the pool knows, without a reload
	p.until("the box to be clear", `!document.querySelector('input[name="on"]').checked`)
	p.sees("#typed-there", "casement Configure-SMRemoting.exe -enable")
	p.looks("off")
	for what, ask := range map[string]func() (string, bool){"WinRM": b.winrm, "a remote shell": b.shell} {
		if out, ok := ask(); ok || !strings.Contains(out, "0x803381DD") {
			t.Errorf("%s with the box clear: %s", what, out)
		}
	}
	if out, ok := b.wmi(); !ok {
		t.Errorf("DCOM with the box clear: %s", out)
	}
	if out := b.must("", "status", b.state()); !strings.Contains(out, "disabled") {
		t.Errorf("casement status: %s", out)
	}
	p.opens(m.console)
	p.sees(".need", b.address)
	p.sees(".need", "Remote management disabled")
	p.opens(page)
	p.sees(`dd[data-live^="management:"]`, "Disabled")

	// On again by the line that is shown, typed at the machine: the open page follows.
	b.must("", "Configure-SMRemoting.exe", "-enable", b.state())
	p.sees(`dd[data-live^="management:"]`, "Enabled")
	if out := b.must("", "status", b.state()); !strings.Contains(out, "enabled") {
		t.Errorf("casement status: %s", out)
	}
	m.must("", "pool", "refresh", b.address, m.state())
	p.sees(".head.server", "Online")

	// Off and, over DCOM, on.
	m.must("", "pool", "remote-management", b.address, "off", "--yes", m.state())
	p.opens(page + "/management")
	p.sees("#rm", "Disabled")
	p.clicks(`input[name="on"]`)
	p.clicks(`form[data-tick] button.primary`)
	p.sees("#rm", "Enabled")
	p.sees(".head.server", "Online")
	p.looks("on-again")
	if out, ok := b.shell(); !ok {
		t.Errorf("a remote shell with the box ticked: %s", out)
	}
	for _, l := range []layout{deskDark, phone} {
		p.sits(l)
		for _, tab := range []string{"", "management", "firewall", "firewall?view=rules"} {
			p.opens(strings.TrimSuffix(page+"/"+tab, "/"))
			p.sees("h1", b.address)
			p.looks(l.name + "-" + strings.ReplaceAll(tab, "?view=", "-"))
		}
	}
	p.sits(desk)

	t.Run("pywinrm", func(t *testing.T) {
		const python = "../../.venv/bin/python"
		if exec.Command(python, "-c", "import winrm").Run() != nil {
			missing(t, "pywinrm is not in .venv")
		}
		peer := func() (string, error) {
			out, err := exec.Command(python, "-c", `import sys, winrm
s = winrm.Session("http://" + sys.argv[1] + ":5985/wsman", auth=("Administrator", sys.argv[2]), transport="ntlm")
r = s.run_cmd("echo hello")
sys.stdout.write(r.std_out.decode()); sys.exit(r.status_code)`, b.address, password).CombinedOutput()
			return string(out), err
		}
		if out, err := peer(); err != nil || !strings.Contains(out, "hello") {
			t.Errorf("pywinrm: %v %s", err, out)
		}
		m.must("", "pool", "remote-management", b.address, "off", "--yes", m.state())
		if out, err := peer(); err == nil {
			t.Errorf("pywinrm while it is off: %s", out)
		}
	})
}
