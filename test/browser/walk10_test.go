package browser

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// awaits is sees for what takes its time: all of a large pool was asked, or a lost worker
// was given up.
func (p *person) awaits(css, text string) {
	p.t.Helper()
	for end := time.Now().Add(3 * time.Minute); !strings.Contains(p.text(css), text) && time.Now().Before(end); {
		time.Sleep(200 * time.Millisecond)
	}
	p.sees(css, text)
}

// Walk 10: a bad day. A list with a mistake, a fifth of the servers gone at once, the
// console killed in the middle of a work, a session that ends.
func TestBadDay(t *testing.T) {
	t.Parallel()
	f := simulate(t, 212)
	m := up(t)
	f.join(m)
	p := newPerson(t, browser(t, m.spki()))
	p.sits(desk)
	p.opens(m.console)
	p.signIn(m.user, m.password)
	p.sees("h1", "Dashboard")

	// An error in line 14: nothing is added, the line is named.
	p.opens(m.console + "servers/add?tab=import")
	p.expect("the server responded with a status of 422")
	var list strings.Builder
	for n := range 20 {
		name := fmt.Sprintf("new%02d.corp.example", n+1)
		if n+1 == 14 {
			name = "srv 09!"
		}
		fmt.Fprintln(&list, name)
	}
	ask[bool](p, fmt.Sprintf(`document.getElementById("text").value = %q, true`, list.String()))
	p.clicks(`form.panel button[value="add"]`)
	p.sees(`[role="alert"]`, "line 14")
	p.sees(`[role="alert"]`, "Nothing was added.")
	p.looks("line-14")
	p.opens(m.console + "servers?q=state:ok")
	p.awaits("caption", "212 of 212, filtered")

	// Forty go dark at once. The page stays usable, and counts right.
	dark := map[string]bool{}
	for n := range 40 {
		dark[f.Hosts[n*5].Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(dark)) {
		f.kill(name)
	}
	p.clicks(`[data-all]`)
	p.sees("#selection", "212 selected")
	p.clicks(`button[value="refresh"]`)
	p.sees("#alerts", "Refreshing 212 servers.")
	p.clicks(`[data-clear]`)
	asked := time.Now()
	p.opens(m.console + "servers?q=HOST00004")
	p.sees("caption", "1 of 212, filtered")
	if took := time.Since(asked); took > 10*time.Second {
		t.Errorf("a page takes %s on a bad day", took)
	}
	p.opens(m.console + "servers?q=state:blocked")
	p.awaits("caption", "40 of 212, filtered")
	p.until("the forty", `document.querySelectorAll("tr[data-name]").length == 40`)
	shown := ask[[]string](p, `[...document.querySelectorAll("tr[data-name]")].map(r => r.dataset.name)`)
	if slices.Sort(shown); !slices.Equal(shown, slices.Sorted(maps.Keys(dark))) {
		t.Errorf("the blocked ones are %v", shown)
	}
	p.looks("dark")
	p.opens(m.console)
	p.sees("main", "40 need you")
	p.looks("dashboard")
	for name := range dark {
		f.revive(name)
	}

	// In the middle of a work on all the console is killed: what had not begun is done
	// after it is back, once; of what had begun nobody knows, and it is not repeated.
	held := f.Hosts[:40]
	for _, h := range held {
		f.hold(h.Name)
	}
	p.opens(m.console + "servers?q=")
	p.sees("caption", "212 servers")
	p.clicks(`[data-all]`)
	p.sees("#selection", "212 selected")
	p.clicks(`button[value="service"]`)
	p.tells("W32Time", "restart")
	p.sees("dialog", "Restart W32Time on 212 servers")
	p.writes(`dialog input[name="typed"]`, "212")
	p.clicks(`dialog button.danger`)
	p.sees("h1", "Restart W32Time on 212 servers")
	p.sees("[data-f=text]", " running")
	p.sees("[data-f=text]", " waiting")
	for _, what := range []string{"net::ERR_", "Failed to fetch"} {
		p.expect(what) // the console is away
	}
	console := strings.TrimSuffix(strings.TrimPrefix(m.console, "https://"), "/")
	m.kill()
	p.sees("#livetext", "Reconnecting, data from")
	p.screenshot("away")
	for _, h := range held { // those come back, and hold nothing
		f.kill(h.Name)
		f.revive(h.Name)
	}
	m.start("--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--dcom-port", "0", "--console", console)
	p.sees("#livetext", "Live")

	// Meanwhile the session ends: it is announced, and who signs in is back on the page.
	here := p.url()
	ask[bool](p, `(() => { const now = Date.now; Date.now = () => now() + 14.5 * 60000; return true; })()`)
	p.sees(`dialog[role="alertdialog"]`, "The session ends")
	p.screenshot("announced")
	if _, err := chromedp.Call(p.ctx, network.ClearBrowserCookies, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	ask[bool](p, `(() => { const now = Date.now; Date.now = () => now() + 60000; return true; })()`)
	p.sees("h1", "Casement on")
	p.signIn(m.user, m.password)
	p.sees("h1", "Restart W32Time on 212 servers")
	if p.url() != here {
		t.Errorf("it is back at %s, not at %s", p.url(), here)
	}

	p.awaits("[data-f=text]", "212 of 212") // a task of a worker that is gone comes again after 30 s
	p.screenshot("after")
	var work struct {
		Tally   struct{ Done, Unknown, Failed int }
		Results []struct{ Server, State string }
	}
	if err := json.Unmarshal([]byte(p.fetches(`a[href$="/results.json"]`)), &work); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, r := range work.Results {
		seen[r.Server] = r.State
	}
	if len(work.Results) != 212 || len(seen) != 212 || work.Tally.Unknown == 0 || work.Tally.Failed != 0 || work.Tally.Done+work.Tally.Unknown != 212 {
		t.Errorf("%d results of %d servers: %+v", len(work.Results), len(seen), work.Tally)
	}
	for _, h := range f.Hosts {
		if n := f.stops(h.Name, "W32Time"); n > 1 || n == 0 && seen[h.Name] == "done" {
			t.Errorf("%s, which is %s, was told to stop it %d times", h.Name, seen[h.Name], n)
		}
	}
}
