package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// patience is how long a person waits for something to appear.
const patience = 45 * time.Second

// person is somebody with a browser of their own: no cookie, cache or storage is
// shared with another person.
type person struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	messages []string // what the browser's console said and nobody named beforehand
	expected []string
}

// layout is a screen.
type layout struct {
	name          string
	width, height int64
	dark          bool
}

var (
	desk     = layout{name: "desk", width: 1280, height: 860}
	deskDark = layout{name: "desk-dark", width: 1280, height: 860, dark: true}
	phone    = layout{name: "phone", width: 390, height: 844}
)

// chromium is the browser's program; a test without it is skipped, or fails where
// everything must be there.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, "chromium is not installed")
	return ""
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CASEMENT_CI") == "1" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// browser starts one Chromium for the test, whose certificate errors are ignored
// for the keys in spki alone (base64 of SHA-256, as Chromium takes them).
func browser(t *testing.T, spki ...string) context.Context {
	t.Helper()
	path := chromium(t)
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("ignore-certificate-errors-spki-list", strings.Join(spki, ",")),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("force-color-profile", "srgb"),
		chromedp.Flag("hide-scrollbars", true),
	}
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return ctx
}

// newPerson opens a window in a browser for somebody new.
func newPerson(t *testing.T, browser context.Context) *person {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	p := &person{t: t, ctx: ctx}
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil { // the window lives as long as the context of the first action
		t.Fatal(err)
	}
	go p.listen(chromedp.Console(ctx))
	t.Cleanup(p.calm)
	return p
}

func (p *person) listen(messages func(func(chromedp.ConsoleMessage, error) bool)) {
	for m, err := range messages {
		if err != nil {
			return
		}
		if string(m.Type) != "error" && string(m.Type) != "warning" && !m.IsException() {
			continue
		}
		if strings.Contains(m.String(), "net::ERR_NETWORK_CHANGED") {
			continue // another test gave this machine an address; the page asks again
		}
		p.mu.Lock()
		if !slices.ContainsFunc(p.expected, func(e string) bool { return strings.Contains(m.String(), e) }) {
			p.messages = append(p.messages, m.String())
		}
		p.mu.Unlock()
	}
}

// expect names a message of the browser's console that belongs to the walk.
func (p *person) expect(part string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = append(p.expected, part)
}

// calm fails the test for what the browser's console said.
func (p *person) calm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.messages {
		p.t.Errorf("the browser's console: %s", m)
	}
	p.messages = nil
}

// do runs actions one after the other, with a person's patience.
func (p *person) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.stuck("", err)
	}
}

// stuck ends the test and keeps what the person saw.
func (p *person) stuck(what string, err error) {
	p.t.Helper()
	p.screenshot("stuck")
	p.t.Fatalf("the page says:\n%s\nat %s: %s%v", p.text("body"), p.url(), what, err)
}

func ask[T any](p *person, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

func (p *person) url() string { return ask[string](p, `location.href`) }

// text is what is visible of an element; "" where there is none.
func (p *person) text(css string) string {
	return ask[string](p, fmt.Sprintf(`(document.querySelector(%q)||{innerText:""}).innerText`, css))
}

// sits puts the person in front of a screen.
func (p *person) sits(l layout) {
	p.t.Helper()
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	p.do(chromedp.EmulateViewport(l.width, l.height))
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}}); err != nil {
		p.t.Fatal(err)
	}
}

func (p *person) opens(url string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	err := chromedp.Do(ctx, chromedp.Navigate(url))
	if err != nil && strings.Contains(err.Error(), "ERR_NETWORK_CHANGED") {
		err = chromedp.Do(ctx, chromedp.Navigate(url))
	}
	if err != nil {
		p.stuck("", err)
	}
}
func (p *person) clicks(css string) {
	p.t.Helper()
	p.looksUp()
	p.aims(css)
	p.do(chromedp.Click(chromedp.CSS(css)))
}
func (p *person) writes(css, text string) {
	p.t.Helper()
	p.looksUp()
	p.do(chromedp.SendKeys(chromedp.CSS(css), text))
}
func (p *person) presses(keys string) {
	p.t.Helper()
	p.looksUp()
	p.do(chromedp.KeyEvent(keys))
}

// looksUp waits until the page was painted, as a person does who cannot click or
// type into what is not yet seen: Chromium drops such input.
func (p *person) looksUp() {
	p.t.Helper()
	p.until("the page to be painted", `document.readyState == "complete" && performance.getEntriesByType("paint").some(e => e.name == "first-contentful-paint")`)
}

// aims waits until an element stands still for two frames: what arrives live may move
// it, and a click is sent to a place.
func (p *person) aims(css string) {
	p.t.Helper()
	p.until(css+" to stand still", fmt.Sprintf(`(async () => {
		const place = () => { const b = document.querySelector(%q)?.getBoundingClientRect(); return b ? [b.x, b.y, b.width, b.height].join() : ""; };
		const before = place(), frame = () => new Promise(requestAnimationFrame);
		await frame();
		await frame();
		return before != "" && before == place();
	})()`, css))
}

// sees waits until an element contains a text.
func (p *person) sees(css, text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("%q in %s", text, css), fmt.Sprintf(`[...document.querySelectorAll(%q)].some(e => e.innerText.includes(%q))`, css, text))
}

// seesNot waits until no element contains a text.
func (p *person) seesNot(css, text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("no %q in %s", text, css), fmt.Sprintf(`![...document.querySelectorAll(%q)].some(e => e.innerText.includes(%q))`, css, text))
}

// until waits for a condition in the page.
func (p *person) until(what, condition string) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		ctx, cancel := context.WithTimeout(p.ctx, patience)
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](condition, chromedp.EvalAwaitPromise))
		cancel()
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) {
			p.stuck("waited for "+what+" ", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// screenshot keeps the page, where CASEMENT_SCREENSHOTS names a folder.
func (p *person) screenshot(name string) {
	p.t.Helper()
	dir := os.Getenv("CASEMENT_SCREENSHOTS")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, strings.ReplaceAll(p.t.Name(), "/", "-")+"-"+name+".png"), png, 0o600)
	}
	if err != nil {
		p.t.Logf("no screenshot of %s: %v", name, err)
	}
}

// looks keeps a screenshot and asks axe-core about the page: no finding may be
// serious or critical.
func (p *person) looks(name string) {
	p.t.Helper()
	p.screenshot(name)
	for _, v := range p.findings() {
		p.t.Errorf("%s: axe: %s", name, v)
	}
}

// findings are what axe-core finds serious or critical.
func (p *person) findings() []string {
	p.t.Helper()
	ask[bool](p, axe(p.t)+"; true")
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.
		filter(v => v.impact == "serious" || v.impact == "critical").
		map(v => v.impact + " " + v.id + ": " + v.help + ": " + v.nodes.map(n => n.target.join(" ") + " " + n.failureSummary.replace(/\s+/g, " ")).slice(0, 5).join("; ")))`, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("axe-core: %v", err)
	}
	return found
}

// axe is the source of axe-core, from the pinned clients.
var axeSource struct {
	sync.Once
	text string
}

func axe(t *testing.T) string {
	t.Helper()
	axeSource.Do(func() {
		found, err := filepath.Glob("../../.venv/lib/python3*/site-packages/axe_playwright_python/axe.min.js")
		if err != nil || len(found) == 0 {
			return
		}
		if b, err := os.ReadFile(found[0]); err == nil {
			axeSource.text = string(b)
		}
	})
	if axeSource.text == "" {
		missing(t, "axe-core is not in .venv: make test puts it there")
	}
	return axeSource.text
}
