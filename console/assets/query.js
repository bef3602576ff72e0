// The query explorer: namespaces and classes of a server, completion of WQL, rows as they
// come. Without it the forms do the same, page by page. What a server says is text.
import { el, on } from "./live.js";

export function query() {
  for (const e of document.querySelectorAll("[data-queryrun]")) on(e.dataset.queryrun, (d) => { e.querySelector("[data-text]").textContent = d?.text || ""; if (d?.done) location.reload(); });
  const box = document.querySelector("[data-explorer]");
  if (!box) return;
  const field = document.getElementById("wql"), ns = document.getElementById("ns"), form = document.getElementById("queryform");
  const ask = asker(box.dataset.explorer, ns);
  editor(field, form, ask);
  if (box.dataset.explorer) classes(field, ns, ask);
  if (form.dataset.stream !== undefined) rows(form, field);
  views();
  document.querySelector("#save form")?.addEventListener("submit", (e) => { e.target.elements.ns.value = ns.value; e.target.elements.wql.value = field.value; }, true);
  point(field, field.dataset.line, field.dataset.column);
}

// asker asks the server for names, once for each.
function asker(base, ns) {
  const known = new Map();
  return (path, namespace = ns.value) => {
    const key = path + "?ns=" + encodeURIComponent(namespace);
    if (!base) return Promise.resolve(null);
    if (!known.has(key)) {
      known.set(key, fetch(base + key, { headers: { Accept: "application/json" } }).then(async (a) => {
        const d = await a.json();
        if (!a.ok) throw new Error(d.detail || "The console refused.");
        return d;
      }).catch((e) => { known.delete(key); throw e; }));
    }
    return known.get(key);
  };
}

// point selects what is wrong in the editor.
function point(field, line, column) {
  if (!line) return;
  const lines = field.value.split("\n");
  const at = lines.slice(0, line - 1).reduce((n, l) => n + l.length + 1, 0) + [...lines[line - 1] || ""].slice(0, column - 1).join("").length;
  const word = /^\w+|^\S/.exec(field.value.slice(at));
  field.focus();
  field.setSelectionRange(at, at + (word ? word[0].length : 0));
}

const keywords = ["SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "LIKE", "ISA", "IS", "NULL", "TRUE", "FALSE", "ASSOCIATORS OF", "REFERENCES OF", "ResultClass", "AssocClass", "Role"];

// editor completes classes after FROM and ISA, properties of the class elsewhere.
function editor(field, form, ask) {
  const list = el("ul", { class: "suggest", role: "listbox", id: "suggestions", "aria-label": "Completions", hidden: true });
  field.after(list);
  field.setAttribute("aria-controls", "suggestions");
  field.setAttribute("aria-autocomplete", "list");
  document.getElementById("wqlkeys").hidden = false;
  let at = -1, word = "";
  const close = () => { list.hidden = true; list.replaceChildren(); at = -1; field.removeAttribute("aria-activedescendant"); };
  const mark = (n) => {
    at = n;
    [...list.children].forEach((c, i) => c.setAttribute("aria-selected", i === n));
    list.children[n]?.scrollIntoView({ block: "nearest" });
    if (list.children[n]) field.setAttribute("aria-activedescendant", list.children[n].id);
  };
  const take = (text) => {
    const end = field.selectionStart;
    field.setRangeText(text, end - word.length, end, "end");
    close();
  };
  const suggest = async (all) => {
    const before = field.value.slice(0, field.selectionStart);
    word = /\w*$/.exec(before)[0];
    const name = /\bFROM\s+(\w+)/i.exec(field.value)?.[1];
    let words = [];
    try {
      if (/\b(FROM|ISA|ResultClass\s*=|AssocClass\s*=)\s+["']?\w*$|\{\s*\w*$/i.test(before)) words = (await ask("/classes")) || [];
      else if (/["'][^"']*$/.test(before.replace(/"[^"]*"|'[^']*'/g, ""))) words = [];
      else {
        if (name && (word || all)) words = ((await ask("/classes/" + encodeURIComponent(name)))?.properties || []).map((p) => p.name);
        words = words.concat(keywords);
      }
    } catch { words = keywords; }
    if (field.value.slice(0, field.selectionStart) !== before || document.activeElement !== field) return;
    const low = word.toLowerCase(), starts = (w) => (w.toLowerCase().startsWith(low) ? 0 : 1);
    const found = words.filter((w) => w.toLowerCase().includes(low) && w !== word).sort((a, b) => starts(a) - starts(b)).slice(0, 12);
    if ((!word && !all) || !found.length) { close(); return; }
    list.replaceChildren(...found.map((w, i) => el("li", { role: "option", id: "suggestion" + i, "aria-selected": "false", text: w, onmousedown: (e) => { e.preventDefault(); take(w); } })));
    list.hidden = false;
    mark(-1);
  };
  field.addEventListener("input", () => { field.removeAttribute("aria-invalid"); document.getElementById("wqlwrong").hidden = true; suggest(false); });
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (e) => {
    if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); close(); form.requestSubmit(document.getElementById("run")); return; }
    if (e.key === " " && e.ctrlKey) { e.preventDefault(); suggest(true); return; }
    if (list.hidden) return;
    if (e.key === "ArrowDown") { e.preventDefault(); mark((at + 1) % list.children.length); }
    else if (e.key === "ArrowUp") { e.preventDefault(); mark((at - 1 + list.children.length) % list.children.length); }
    else if ((e.key === "Enter" || e.key === "Tab") && at >= 0) { e.preventDefault(); take(list.children[at].textContent); }
    else if (e.key === "Escape") { e.stopPropagation(); close(); }
  });
}

// classes has the tree of namespaces, the classes of one by part of a name, and one class.
function classes(field, ns, ask) {
  const tree = document.getElementById("nstree"), find = document.getElementById("find"), list = document.getElementById("classlist"), view = document.getElementById("classview"), note = document.getElementById("classnote");
  const shown = 100;
  const filter = async () => {
    const words = find.value.trim().toLowerCase();
    if (!words) { list.replaceChildren(); note.textContent = ""; return; }
    note.textContent = "Asking…";
    let names;
    try { names = (await ask("/classes")) || []; } catch (e) { note.textContent = e.message; list.replaceChildren(); return; }
    if (find.value.trim().toLowerCase() !== words) return;
    const found = names.filter((n) => n.toLowerCase().includes(words));
    note.textContent = found.length ? (found.length > shown ? shown + " of " + found.length : found.length) + (found.length === 1 ? " class" : " classes") : "No class of " + ns.value + " has " + find.value.trim() + " in its name.";
    list.replaceChildren(...found.slice(0, shown).map((n) => el("li", {}, el("button", { type: "button", text: n, onclick: () => open(n) }))));
  };
  const put = (text) => {
    field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
    field.focus();
  };
  const quals = (q) => (q?.length ? [el("span", { class: "note" }, " " + q.map((x) => x.name + (x.value === "TRUE" || x.value === "true" ? "" : " = " + x.value)).join(" · "))] : []);
  const open = async (name) => {
    view.replaceChildren(el("p", { class: "note", text: "Asking for " + name + "…" }));
    let c;
    try { c = await ask("/classes/" + encodeURIComponent(name)); } catch (e) { view.replaceChildren(el("p", { class: "problem", text: e.message })); return; }
    const description = c.qualifiers?.find((q) => q.name.toLowerCase() === "description")?.value;
    const title = el("h3", { tabindex: "-1", text: c.name });
    const args = (l) => (l || []).map((p) => p.type + " " + p.name).join(", ");
    view.replaceChildren(title,
      ...(c.superclass ? [el("p", { class: "note" }, "from ", el("button", { type: "button", class: "quiet", text: c.superclass, onclick: () => open(c.superclass) }))] : []),
      ...(description ? [el("p", { class: "note", text: description })] : []),
      el("p", {}, el("button", { type: "button", text: "Write a query", onclick: () => { field.value = "SELECT * FROM " + c.name; field.focus(); } })),
      ...(c.qualifiers?.length ? [el("details", { class: "members-of" }, el("summary", { text: c.qualifiers.length + (c.qualifiers.length === 1 ? " qualifier" : " qualifiers") }), el("ul", { class: "members-of" }, ...c.qualifiers.map((q) => el("li", { text: q.name + " = " + q.value }))))] : []),
      el("h3", { text: "Properties" }),
      el("ul", { class: "members-of", id: "classproperties" }, ...(c.properties || []).map((p) => el("li", {}, el("button", { type: "button", text: p.name, "aria-label": "Put " + p.name + " into the query", onclick: () => put(p.name) }), " ", el("span", { class: "soft", text: p.type }),
        ...(p.key ? [" ", el("span", { class: "badge info", text: "key" })] : []),
        ...(p.qualifiers?.length ? [el("details", {}, el("summary", { class: "note", "aria-label": "Qualifiers of " + p.name, text: "qualifiers" }), ...quals(p.qualifiers))] : [])))),
      ...(c.methods?.length ? [el("h3", { text: "Methods" }), el("ul", { class: "members-of" }, ...c.methods.map((m) => el("li", {}, el("code", { text: m.name + "(" + args(m.in) + ")" }), m.static ? " static" : "", ...(m.out?.length ? [el("span", { class: "note", text: " gives " + args(m.out) })] : []),
        ...(m.qualifiers?.length ? [el("details", {}, el("summary", { class: "note", "aria-label": "Qualifiers of " + m.name, text: "qualifiers" }), ...quals(m.qualifiers))] : []))))] : []));
    title.focus();
  };
  for (const a of list.querySelectorAll("a")) a.addEventListener("click", (e) => { e.preventDefault(); open(a.textContent); });
  let wait = 0;
  find.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(filter, 120); });
  document.getElementById("findform").addEventListener("submit", (e) => { e.preventDefault(); filter(); });

  // The tree: one branch is asked for when it is opened.
  const item = (path) => {
    const li = el("li", { role: "treeitem", "aria-expanded": "false", "aria-selected": "false", tabindex: "-1", "data-ns": path }, el("span", { text: path.slice(path.lastIndexOf("\\") + 1) }));
    return li;
  };
  const root = el("ul", { role: "tree", class: "tree", "aria-label": "Namespaces" }, item("root"));
  tree.replaceChildren(root);
  tree.hidden = false;
  const first = root.firstElementChild;
  first.tabIndex = 0;
  const expand = async (li) => {
    if (li.getAttribute("aria-expanded") !== "false") return;
    if (!li.querySelector(":scope > ul")) {
      let below;
      try { below = await ask("/namespaces", li.dataset.ns); } catch (e) { note.textContent = e.message; return; }
      if (li.querySelector(":scope > ul")) return;
      if (!below?.length) { li.removeAttribute("aria-expanded"); return; }
      li.append(el("ul", { role: "group" }, ...below.map((p) => item(p))));
    }
    li.setAttribute("aria-expanded", "true");
  };
  const select = (li) => {
    for (const o of root.querySelectorAll("[aria-selected=true]")) o.setAttribute("aria-selected", "false");
    li.setAttribute("aria-selected", "true");
    if (ns.value !== li.dataset.ns) { ns.value = li.dataset.ns; view.replaceChildren(); filter(); }
  };
  const focus = (li) => { if (!li) return; for (const o of root.querySelectorAll("[tabindex='0']")) o.tabIndex = -1; li.tabIndex = 0; li.focus(); };
  const visible = () => [...root.querySelectorAll("[role=treeitem]")].filter((li) => li.offsetParent !== null && !li.parentElement.closest("[aria-expanded=false]"));
  root.addEventListener("click", async (e) => {
    const li = e.target.closest("[role=treeitem]");
    if (!li) return;
    focus(li);
    if (li.getAttribute("aria-expanded") === "true" && li.getAttribute("aria-selected") === "true") li.setAttribute("aria-expanded", "false");
    else { select(li); await expand(li); }
  });
  root.addEventListener("keydown", async (e) => {
    const li = e.target.closest("[role=treeitem]"), all = visible(), n = all.indexOf(li), open = li.getAttribute("aria-expanded");
    let done = true;
    if (e.key === "ArrowDown") focus(all[n + 1]);
    else if (e.key === "ArrowUp") focus(all[n - 1]);
    else if (e.key === "Home") focus(all[0]);
    else if (e.key === "End") focus(all[all.length - 1]);
    else if (e.key === "ArrowRight") { if (open === "true") focus(li.querySelector("[role=treeitem]")); else await expand(li); }
    else if (e.key === "ArrowLeft") { if (open === "true") li.setAttribute("aria-expanded", "false"); else focus(li.parentElement.closest("[role=treeitem]")); }
    else if (e.key === "Enter" || e.key === " ") select(li);
    else done = false;
    if (done) { e.preventDefault(); e.stopPropagation(); }
  });
  ns.addEventListener("change", () => {
    for (const o of root.querySelectorAll("[role=treeitem]")) o.setAttribute("aria-selected", String(o.dataset.ns.toLowerCase() === ns.value.toLowerCase()));
    view.replaceChildren();
    filter();
  });
  (async () => { // as far as the namespace of the page
    let li = first;
    for (;;) {
      await expand(li);
      const next = [...li.querySelectorAll(":scope > ul > li")].find((o) => (ns.value + "\\").toLowerCase().startsWith(o.dataset.ns.toLowerCase() + "\\"));
      if (!next) break;
      li = next;
      if (li.dataset.ns.toLowerCase() === ns.value.toLowerCase()) break;
    }
    if (li.dataset.ns.toLowerCase() === ns.value.toLowerCase()) li.setAttribute("aria-selected", "true");
  })();
  if (find.value) filter();
}

// rows runs the query and shows its rows as they come.
function rows(form, field) {
  const note = document.getElementById("answernote"), box = document.getElementById("answertable"), stop = document.getElementById("stop"), run = document.getElementById("run"), wrong = document.getElementById("wqlwrong");
  let going = null;
  stop.addEventListener("click", () => going?.abort());
  form.addEventListener("submit", async (e) => {
    if (e.submitter?.name === "format") return; // a file
    e.preventDefault();
    if (going) return;
    going = new AbortController();
    const began = Date.now();
    let count = 0, body = null, last = null, columns = [];
    wrong.hidden = true;
    field.removeAttribute("aria-invalid");
    box.replaceChildren();
    box.hidden = true;
    show("table");
    document.getElementById("answerviews").hidden = true;
    document.querySelector("main > .problem")?.remove();
    stop.hidden = false;
    run.disabled = true;
    const tell = () => {
      const s = Math.floor((Date.now() - began) / 1000);
      note.textContent = count ? count + " rows so far, " + s + " s" : s >= 2 ? "Asking " + document.querySelector("h1").textContent + "… " + (s >= 10 ? s + " s" : "") : "";
    };
    const ticks = setInterval(tell, 1000);
    const take = (line) => {
      if (!line) return;
      const d = JSON.parse(line);
      if (d.columns) {
        columns = d.columns;
        body = el("tbody");
        box.replaceChildren(el("table", { class: "rows", "data-rows": true }, el("caption", { class: "hidden", text: "Result" }),
          el("thead", {}, el("tr", {}, el("th", { scope: "col" }, el("span", { class: "hidden", text: "Object" })), ...columns.map((c, i) => el("th", { scope: "col" }, el("button", { type: "button", text: c, onclick: (e) => sort(body, i + 1, e.target.closest("th")) }))))), body));
        box.hidden = false;
      } else if (d.values) {
        count++;
        const link = d.path ? [el("a", { href: form.getAttribute("action") + "?" + new URLSearchParams({ ns: form.elements.ns.value, path: d.path }), "aria-label": "Object " + d.path, text: "▸" })] : [];
        body.append(el("tr", {}, el("td", {}, ...link), ...columns.map((_, i) => (d.values[i] === null || d.values[i] === undefined ? el("td", { "data-null": true }, el("span", { class: "soft", text: "NULL" })) : el("td", { text: d.values[i] })))));
      } else if (d.done) last = d;
    };
    try {
      const a = await fetch(form.getAttribute("action"), { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/x-ndjson" }, signal: going.signal });
      if (!a.ok || !a.body) {
        const d = await a.json().catch(() => ({}));
        last = { done: true, problem: d.detail || "The console refused (" + a.status + ")." };
      } else {
        const reader = a.body.pipeThrough(new TextDecoderStream()).getReader();
        let rest = "";
        for (;;) {
          const { value, done } = await reader.read();
          const lines = (rest + (value || "")).split("\n");
          rest = lines.pop();
          lines.forEach(take);
          if (done) break;
        }
        take(rest);
      }
    } catch {
      last = going.signal.aborted ? { done: true, stopped: true } : { done: true, problem: "The console did not answer." };
    }
    clearInterval(ticks);
    going = null;
    stop.hidden = true;
    run.disabled = false;
    const n = count + (count === 1 ? " row" : " rows");
    if (!last) last = { problem: "The answer broke off." };
    if (last.problem) {
      note.textContent = count ? n + ", then it failed" : "";
      wrong.textContent = last.place ? "line " + last.place.line + " col " + last.place.column + ": " + last.place.text : last.problem;
      wrong.hidden = false;
      field.setAttribute("aria-invalid", "true");
      if (last.place) point(field, last.place.line, last.place.column);
    } else if (last.stopped) note.textContent = n + ", stopped";
    else note.textContent = n + ", " + (last.took_ms || 0) + " ms" + (last.transport ? ", " + last.transport : "") + (last.cut ? ", cut: there are more" : ", complete");
    document.getElementById("answerviews").hidden = count === 0;
  });
}

function sort(body, n, th) {
  const down = th.getAttribute("aria-sort") === "ascending";
  for (const o of th.parentElement.children) o.removeAttribute("aria-sort");
  th.setAttribute("aria-sort", down ? "descending" : "ascending");
  const order = new Intl.Collator(undefined, { numeric: true });
  body.append(...[...body.children].sort((a, b) => (down ? -1 : 1) * order.compare(a.children[n].textContent, b.children[n].textContent)));
}

// The answer as a table, as JSON or as CSV.
let show = () => {};
function views() {
  const bar = document.getElementById("answerviews"), text = document.getElementById("answertext"), box = document.getElementById("answertable"), file = document.getElementById("answerfile");
  const data = () => {
    const cell = (td) => (td.dataset.null !== undefined ? null : td.textContent);
    return { columns: [...box.querySelectorAll("thead th")].slice(1).map((h) => h.textContent), rows: [...box.querySelectorAll("tbody tr")].map((r) => [...r.children].slice(1).map(cell)) };
  };
  const csv = (v) => { let s = v ?? ""; if (/^[=+\-@\t\r]/.test(s)) s = "'" + s; return /[",\r\n]/.test(s) || /^\s|\s$/.test(s) ? '"' + s.replaceAll('"', '""') + '"' : s; };
  show = (as) => {
    for (const b of bar.querySelectorAll("[data-view]")) b.setAttribute("aria-pressed", String(b.dataset.view === as));
    text.hidden = as === "table";
    box.hidden = as !== "table" || !box.firstElementChild;
    file.hidden = as === "table";
    if (file.href) URL.revokeObjectURL(file.href);
    file.removeAttribute("href");
    if (as === "table") return;
    const d = data();
    const out = as === "json" ? JSON.stringify(d.rows.map((r) => Object.fromEntries(r.map((v, i) => [d.columns[i], v]))), null, 2) : [d.columns, ...d.rows].map((r) => r.map(csv).join(",")).join("\r\n") + "\r\n";
    text.textContent = out;
    file.href = URL.createObjectURL(new Blob([out], { type: as === "json" ? "application/json" : "text/csv" }));
    file.download = "rows." + as;
  };
  bar.addEventListener("click", (e) => { const b = e.target.closest("[data-view]"); if (b) show(b.dataset.view); });
  bar.hidden = !box.querySelector("tbody tr");
}
