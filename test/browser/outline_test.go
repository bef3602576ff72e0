package browser

// hears fails the test for what outline finds.
func (p *person) hears(name string) {
	p.t.Helper()
	for _, o := range p.outline() {
		p.t.Errorf("%s: %s", name, o)
	}
}

// outline is what axe-core does not call serious and a person who hears the page, or has
// a narrow one, does: headings in their order, landmarks, tables that say what they are,
// names that are once there, nothing that is wider than the screen.
func (p *person) outline() []string {
	p.t.Helper()
	return ask[[]string](p, `(() => {
		const bad = [], seen = (e) => e.checkVisibility({ visibilityProperty: true });
		const heads = [...document.querySelectorAll("h1,h2,h3,h4,h5,h6")].filter(seen);
		if (heads.filter(h => h.tagName === "H1").length !== 1) bad.push("there are " + heads.filter(h => h.tagName === "H1").length + " h1");
		heads.filter(h => h.closest("main")).reduce((last, h) => { const n = +h.tagName[1]; if (n > last + 1) bad.push("after h" + last + " comes h" + n + ": " + h.innerText); return n; }, 0);
		if (document.querySelectorAll("main").length !== 1) bad.push("there is not one main");
		if (document.querySelector(".top") && !document.querySelector("nav[aria-label]")) bad.push("the navigation has no name");
		for (const t of document.querySelectorAll("table")) if (seen(t)) {
			if (!t.caption && !t.closest("[aria-label],[aria-labelledby]")) bad.push("a table without a name: " + t.innerText.slice(0, 40));
			if ([...t.querySelectorAll("thead th")].some(h => !h.hasAttribute("scope"))) bad.push("a heading of a column without scope: " + t.innerText.slice(0, 40));
			if (t.querySelectorAll("[aria-sort]").length > 1) bad.push("two columns are sorted by");
		}
		const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
		for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) bad.push("two elements are #" + id);
		for (const e of document.querySelectorAll("[style]")) bad.push("style= in " + e.tagName);
		if (document.documentElement.scrollWidth > innerWidth) {
			const wide = [...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && seen(e) && !e.closest(".scroll,.tabs,pre,svg")).slice(0, 3);
			bad.push("the page is " + (document.documentElement.scrollWidth - innerWidth) + " too wide: " + wide.map(e => e.tagName + "." + e.className + " " + (e.innerText || "").slice(0, 30)).join("; "));
		}
		return bad; })()`)
}
