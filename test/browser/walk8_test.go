package browser

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// tab is a new tab of the same person: with the session, without what the page had.
func (p *person) tab() (closes func()) {
	p.t.Helper()
	before := p.ctx
	ctx, cancel := chromedp.NewContext(before)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		p.t.Fatal(err)
	}
	go p.listen(chromedp.Console(ctx))
	p.ctx = ctx
	return func() { cancel(); p.ctx = before }
}

// manages has a console's pool manage a host with the account of the tests.
func manages(m *machine, address string) {
	m.t.Helper()
	m.must(password+"\n", "pool", "credential", "add", "pool", "--user", "Administrator", "--for", "all", "--password-stdin", m.state())
	m.must("", "pool", "add", address, m.state())
	m.must("", "pool", "refresh", address, m.state())
}

// Walk 8: a shell outlives its tab and a network that is away; sign-out ends it, here
// and there.
func TestShellWalk(t *testing.T) {
	m, f := up(t), farHost(t)
	manages(m, f.address)
	p := newPerson(t, browser(t, m.spki()))
	closes := p.tab()
	p.sits(desk)
	p.opens(m.console)
	p.signIn(m.user, m.password)
	p.sees("h1", "Dashboard")
	page := m.console + "servers/" + f.address + "/shell"
	p.opens(page)
	p.clicks(`form[action$="/shell"] button`)
	p.sees(".shellstate", "Connected")

	// Its process is there, and runs a long command.
	p.writes("#line", "echo I am $$"+kb.Enter)
	p.sees("pre.output", "\nI am ")
	pid, err := strconv.Atoi(regexp.MustCompile(`\nI am (\d+)`).FindStringSubmatch(p.text("pre.output"))[1])
	if err != nil {
		t.Fatal(err)
	}
	process := filepath.Join("/proc", strconv.Itoa(pid), "comm")
	if b, err := os.ReadFile(process); err != nil || !strings.HasSuffix(strings.TrimSpace(string(b)), "sh") {
		t.Fatalf("process %d is %q, %v", pid, b, err)
	}
	p.writes("#line", "n=0; while sleep 0.2; do n=$((n+1)); echo tick $n; done; echo never"+kb.Enter)
	p.sees("pre.output", "tick 3\n")
	p.looks("running")

	// Who closes the tab and comes back finds the output, and what came meanwhile.
	closes()
	p.tab()
	p.sits(desk)
	p.opens(page)
	p.sees("pre.output", "tick 1\n")
	p.sees("pre.output", "tick 12\n")
	p.clicks(`button[value="interrupt"]`)
	p.writes("#line", "echo alive $((40+2))"+kb.Enter)
	p.sees("pre.output", "alive 42\n")
	if strings.Contains(p.text("pre.output"), "\nnever") {
		t.Error("the interrupt did not end the line")
	}

	// The network goes: it is said, after the time that an answer may take; what was begun
	// goes on over there, and its output arrives when the network is back.
	p.writes("#line", "sleep 5; echo meanwhile $((6*7))"+kb.Enter)
	p.sees("pre.output", "> sleep 5")
	mend := f.cut()
	p.sees(".shellstate", "does not answer since")
	p.looks("away")
	mend()
	p.sees(".shellstate", "Connected")
	p.sees("pre.output", "meanwhile 42\n")

	// Three lines that are pasted run one after the other.
	ask[bool](p, `(() => { const f = document.getElementById("line"); f.focus(); return document.execCommand("insertText", false, "a=1\nb=$((a+1))\necho three lines make $((a+b))"); })()`)
	p.looks("pasted")
	p.presses(kb.Enter)
	p.sees("pre.output", "three lines make 3\n")

	// The phone shows it, too.
	p.sits(phone)
	p.looks("phone")
	p.sits(desk)

	// Signing out ends the process on the host.
	p.clicks("header details.menu summary")
	p.clicks(`form[action="/signout"] button`)
	p.sees("h1", "Casement on")
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(filepath.Dir(process)); os.IsNotExist(err) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("process %d outlives the session", pid)
		}
	}
}
