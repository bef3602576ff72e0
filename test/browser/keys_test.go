package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// focused tells what has the focus, as a person hears it (its kind and its name), and
// what is wrong with how that is seen: there must be an outline, in the picture.
const focused = `(() => { const e = document.activeElement; if (!e || e === document.body) return ["", "nothing has the focus"];
	const name = e.tagName.toLowerCase() + " " + (e.getAttribute("aria-label") || e.labels?.[0]?.innerText || e.innerText || "").trim().replace(/\s+/g, " ");
	const s = getComputedStyle(e), b = e.getBoundingClientRect();
	if (!e.matches(":focus-visible")) return [name, "it is not marked"];
	if (s.outlineStyle === "none" || parseFloat(s.outlineWidth) < 2) return [name, "its outline is " + s.outline];
	if (b.width < 1 || b.height < 1 || b.bottom < 0 || b.right < 0 || b.top > innerHeight || b.left > innerWidth) return [name, "it is out of the picture"];
	return [name, ""]; })()`

// marked insists that one sees what has the focus.
func (p *person) marked() {
	p.t.Helper()
	if at := ask[[]string](p, focused); at[1] != "" {
		p.t.Errorf("the focus is on %q: %s", at[0], at[1])
	}
}

// tabs goes on by Tab until what has the focus begins with a text, and looks at each
// stop on the way.
func (p *person) tabs(to string) {
	p.t.Helper()
	p.looksUp()
	var seen []string
	for range 60 {
		p.do(chromedp.KeyEvent(kb.Tab))
		at := ask[[]string](p, focused)
		if at[0] != "" && at[1] != "" {
			p.t.Errorf("the focus is on %q: %s", at[0], at[1])
		}
		if strings.HasPrefix(at[0], to) {
			return
		}
		seen = append(seen, at[0])
	}
	p.t.Fatalf("Tab does not come to %q, but to %q", to, seen)
}

// types writes where the focus is.
func (p *person) types(text string) { p.t.Helper(); p.presses(text) }

// Walks 1 and 2 by keyboard alone: every stop of Tab is seen, and every key of
// spec/console.md 3.7 does what the list says.
func TestKeyboardAlone(t *testing.T) {
	t.Parallel()
	m := up(t)
	var names []string
	for range 2 {
		_, address := host(t)
		names = append(names, address)
	}
	m.must(password+"\n", "pool", "credential", "add", "wrong", "--user", "nobody-here", "--password-stdin", m.state())
	p := newPerson(t, browser(t, m.spki()))
	p.sits(desk)
	p.opens(m.console)
	p.expect("the server responded with a status of 401")

	// Signing in, wrong and right: the field that waits has the focus.
	p.until("the field of the user", `document.activeElement.name == "user"`)
	p.types(m.user)
	p.tabs("input Password")
	p.types("wrong password" + kb.Enter)
	p.sees(`[role="alert"]`, "Name or password is wrong.")
	p.until("the field of the password", `document.activeElement.name == "password"`)
	p.types(m.password + kb.Enter)
	p.sees("h1", "Dashboard")

	// The first stop skips what is the same on each page.
	p.tabs("a Skip to content")
	p.presses(kb.Enter)
	p.until("the content", `document.activeElement.id == "main"`)
	p.tabs("a Add servers")
	p.presses(kb.Enter)
	p.sees("h1", "Add servers")
	p.until("the field of names", `document.activeElement.id == "names"`)
	p.types(strings.Join(names, " "))
	p.tabs("select Manage as")

	// A credential for all, by way of the settings.
	p.opens(m.console + "settings/credentials")
	p.tabs("a Skip to content")
	p.presses(kb.Enter)
	p.tabs("input Name")
	p.types("pool")
	p.tabs("input User")
	p.types("Administrator")
	p.tabs("input Password")
	p.types(password)
	p.tabs("input For tags")
	p.types("*")
	p.tabs("button Save")
	p.presses(kb.Enter)
	p.sees("th", "pool")

	p.presses("a")
	p.sees("h1", "Add servers")
	p.until("the field of names", `document.activeElement.id == "names"`)
	p.types("a g s " + strings.Join(names, " ")) // letters are letters in a field
	p.until("the letters", `document.activeElement.value.startsWith("a g s ")`)
	p.presses(kb.Home)
	ask[bool](p, `document.activeElement.value = "", true`)
	p.types(strings.Join(names, "\r"))
	p.tabs("button Test and add")
	p.presses(kb.Enter)
	p.sees("main", names[0])
	p.presses("gs")
	p.sees("h1", "All servers")
	for _, n := range names {
		p.sees(`tr[data-name="`+n+`"]`, "Online")
	}

	// Rows: to the second and back, select one, up to here, all, none.
	row := func(n int) string {
		return ask[string](p, fmt.Sprintf(`document.querySelectorAll("tr[data-name]")[%d].dataset.name`, n))
	}
	p.presses("j")
	p.until("the first row", `document.querySelector("tr.at").dataset.name == "`+row(0)+`"`)
	p.marked()
	p.presses("j")
	p.until("the second row", `document.querySelector("tr.at").dataset.name == "`+row(1)+`"`)
	p.presses(kb.ArrowUp)
	p.until("the first row", `document.querySelector("tr.at").dataset.name == "`+row(0)+`"`)
	p.presses("x")
	p.sees("#selection", "1 selected")
	p.presses("j")
	p.presses("X")
	p.sees("#selection", "2 selected")
	p.presses(kb.Escape)
	p.sees("#selection", "0 selected")
	p.presses("*")
	p.sees("#selection", "2 selected")
	p.presses(kb.Escape)
	p.presses("k")
	// What comes live leaves focus and place where they are.
	at := fmt.Sprintf(`document.activeElement == document.querySelector('tr[data-name="%s"] th a') && scrollY == %s`, row(0), fmt.Sprint(ask[float64](p, `scrollY`)))
	p.until("the row's link", at)
	contact := ask[string](p, `document.querySelector("tr.at time").dateTime`)
	p.presses("r") // the row that one is at
	p.sees("#alerts", "Refresh")
	p.until("a later contact", fmt.Sprintf(`document.querySelector("tr.at time").dateTime > %q`, contact))
	p.until("the row's link", at)

	// The list, and a field where letters are letters.
	p.presses("?")
	p.sees("dialog", "Keyboard")
	p.marked()
	p.presses("gd")
	p.presses(kb.Escape)
	p.until("the list to close", `!document.querySelector("dialog") && location.pathname == "/servers"`)
	p.until("the focus to return", `document.activeElement.closest("tr")?.dataset.name == "`+row(0)+`"`)
	p.presses("/")
	p.until("the filter", `document.activeElement.id == "q"`)
	ask[bool](p, `document.activeElement.value = "", true`) // this keyboard types what was prevented, too
	p.types("?gd")
	p.until("letters in the filter", `document.activeElement.value == "?gd" && !document.querySelector("dialog") && location.pathname == "/servers"`)
	p.presses(kb.Escape)
	p.presses(kb.Escape)
	p.until("the filter to be left", `document.activeElement == document.body && document.getElementById("q").value == ""`)
	p.presses("p")
	p.sees("#livestate", "Paused")
	p.presses("p")
	p.sees("#livestate", "Live")

	// Red to green: the row says why, its doctor is a key away, another credential mends it.
	m.must("", "pool", "manage-as", names[1], "--credential", "wrong", m.state())
	_ = m.command("pool", "refresh", names[1], m.state()).Run()
	p.sees(`tr[data-name="`+names[1]+`"]`, "Credentials not valid")
	for range 3 {
		p.presses("j")
		if ask[bool](p, `document.querySelector("tr.at").dataset.name == "`+names[1]+`"`) {
			break
		}
		p.presses("k")
		if ask[bool](p, `document.querySelector("tr.at").dataset.name == "`+names[1]+`"`) {
			break
		}
	}
	p.presses("d")
	p.sees("nav.tabs [aria-current]", "Doctor")
	p.tabs("a Skip to content")
	p.presses(kb.Enter)
	p.tabs("button Run")
	p.presses(kb.Enter)
	p.sees("#cause", "Cause")
	p.presses("]")
	p.sees("nav.tabs [aria-current]", "Shell")
	p.presses("[")
	p.sees("nav.tabs [aria-current]", "Doctor")
	p.presses("gs")
	p.sees("h1", "All servers")
	p.until("the row", `(() => { document.querySelector('tr[data-name="`+names[1]+`"] a').focus(); return true; })()`)
	p.presses("x")
	p.tabs("input") // to the next of the table, then back up to what is done with the selection
	p.until("the selection", `(() => { document.querySelector("#selection select[name=credential]").focus(); return true; })()`)
	p.types("po")
	p.tabs("button Set")
	p.presses(kb.Enter)
	p.sees(`tr[data-name="`+names[1]+`"]`, "Online") // without a reload

	// Enter opens; the menu of a row has two ways in.
	p.until("the row", `(() => { document.querySelector('tr[data-name="`+names[0]+`"] a').focus(); return true; })()`)
	p.presses(kb.Enter)
	p.sees("h1", names[0])
	p.opens(m.console + "servers/" + names[0] + "/users?q=Administrator")
	p.sees("main", "Administrator")
	p.presses("j")
	for _, open := range []func(){func() { p.presses("m") }, func() { p.do(chromedp.KeyEvent(kb.F10, chromedp.KeyModifiers(chromedp.ModifierShift))) }} {
		open()
		p.until("the row's menu", `document.querySelector("tr details[open]")?.contains(document.activeElement)`)
		p.marked()
		p.presses(kb.Escape)
		p.until("the menu to close", `!document.querySelector("tr details[open]") && document.activeElement.tagName == "SUMMARY"`)
	}

	// Ctrl+Enter runs a query, Ctrl+] leaves a shell.
	p.opens(m.console + "servers/" + names[0] + "/query?wql=SELECT+Name+FROM+Win32_OperatingSystem")
	p.until("the query", `(() => { document.getElementById("wql").focus(); return document.activeElement.value != ""; })()`)
	p.do(chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	p.sees("main", "1 row")
	p.opens(m.console + "servers/" + names[0] + "/shell")
	p.tabs("a Skip to content")
	p.presses(kb.Enter)
	p.tabs("button Open a shell")
	p.presses(kb.Enter)
	p.until("the shell's field", `document.activeElement.id == "line"`)
	p.do(chromedp.KeyEvent("]", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	p.until("the field to be left", `document.activeElement.id == "main"`)

	// The other places, and the menu of who is signed in.
	p.until("no field", `(() => { document.activeElement.blur(); return true; })()`)
	p.presses("gw")
	p.sees("h1", "Work")
	p.presses("gq")
	p.sees("h1", "Query")
	p.until("no field", `(() => { document.activeElement.blur(); return true; })()`)
	p.presses("gd")
	p.sees("h1", "Dashboard")

	// Keys of one letter can be turned off.
	p.opens(m.console + "settings")
	p.tabs("input Keys of one letter")
	p.presses(" ")
	p.tabs("button Save")
	p.presses(kb.Enter)
	p.until("the keys to be off", `document.documentElement.dataset.nokeys !== undefined`)
	p.until("no field", `(() => { document.activeElement.blur(); return true; })()`)
	p.presses("?gd")
	p.opens(m.console + "servers")
	p.presses("?gdx")
	p.sees("h1", "All servers")
	if ask[bool](p, `!!document.querySelector("dialog") || location.pathname != "/servers"`) {
		t.Error("a letter acts that was turned off")
	}
	p.tabs("summary VM\\Administrator")
	p.presses(kb.Enter)
	p.tabs("a Keyboard shortcuts")
	p.presses(kb.Enter)
	p.sees("dialog", "are off")
	p.presses(kb.Escape)
	p.opens(m.console)
	p.tabs("summary")
	p.presses(kb.Enter)
	p.tabs("button Sign out")
	p.presses(kb.Enter)
	p.sees("h1", "Casement on")
}
