// Tables with rows that are selected: what can be done with them appears when some are.
// The table of servers also follows which rows there are, in which order.
import { el, on, put, restart } from "./live.js";

export function tables() {
  views();
  names();
  const form = document.getElementById("rowsform");
  if (!form) { order(null); return; }
  const bar = document.getElementById("selection"), all = form.querySelector("[data-all]");
  const boxes = () => [...form.querySelectorAll("tbody input[type=checkbox][name=server]")];
  const update = () => {
    const n = new Set(boxes().filter((b) => b.checked).map((b) => b.value)).size;
    if (bar) {
      bar.classList.toggle("some", n > 0);
      bar.querySelector("[data-count]").textContent = n + " selected";
      for (const b of bar.querySelectorAll("button[data-needs]")) b.disabled = n === 0 || b.dataset.needs === "one" && n !== 1 || b.dataset.forbidden !== undefined;
    }
    if (all) { const c = boxes().filter((b) => b.checked).length; all.checked = c > 0 && c === boxes().length; all.indeterminate = c > 0 && c < boxes().length; }
  };
  if (all) { all.hidden = false; all.addEventListener("change", () => { for (const b of boxes()) b.checked = all.checked; update(); }); }
  form.addEventListener("change", (e) => {
    // A server that is in several parts of the table is one server.
    if (e.target.name === "server") for (const b of boxes()) if (b !== e.target && b.value === e.target.value) b.checked = e.target.checked;
    update();
  });
  form.addEventListener("click", (e) => {
    if (e.target.closest("[data-clear]")) { for (const b of boxes()) b.checked = false; update(); }
    const row = e.target.closest("tbody tr");
    if (row && !e.target.closest("a, button, input, summary, label") && matchMedia("(max-width: 640px)").matches) row.classList.toggle("open");
  });
  order(form, update);
  update();
}

// views keeps what is chosen for a table, so that it returns next time, and makes short
// addresses of it.
function views() {
  const of = document.getElementById("tableof");
  if (!of) return;
  const keep = (query) => navigator.sendBeacon("/views/last", new URLSearchParams({ base: of.dataset.base, query }));
  const filter = document.getElementById("filterform");
  filter?.addEventListener("submit", (e) => {
    e.preventDefault();
    const data = new FormData(filter), q = new URLSearchParams();
    for (const name of ["q", "sort", "group"]) if (data.get(name)?.trim()) q.set(name, data.get(name).trim());
    for (const n of new URLSearchParams(of.dataset.query).getAll("on")) q.append("on", n);
    q.set("cols", ["name", ...data.getAll("cols")].join(","));
    keep(q.toString());
    location.assign(of.dataset.base + "?" + q);
  });
  for (const b of filter?.querySelectorAll("[data-up]") || []) {
    b.hidden = false;
    b.addEventListener("click", () => {
      const row = b.parentElement, before = row.previousElementSibling;
      if (before?.querySelector("[data-up]")) { before.before(row); b.focus(); }
    });
  }
  document.addEventListener("click", (e) => {
    const a = e.target.closest("a[data-view]");
    if (a) keep(new URL(a.href).search.slice(1));
  });
  // The address says what is shown, so that it can be sent to somebody.
  if (of.dataset.query && location.search.slice(1) !== of.dataset.query) history.replaceState(null, "", of.dataset.base + "?" + of.dataset.query);
}

// moved is how many rows must come, go or move for one list to be the other: all but
// those of the longest run that both have in the same order.
function moved(have, want) {
  const at = new Map(have.map((k, n) => [k, n])), ends = [];
  let common = 0;
  for (const k of want) {
    const n = at.get(k);
    if (n === undefined) continue;
    common++;
    let low = 0, high = ends.length;
    while (low < high) { const mid = (low + high) >> 1; if (ends[mid] < n) low = mid + 1; else high = mid; }
    ends[low] = n;
  }
  return have.length + want.length - common - ends.length;
}

// order follows the rows of the table of servers. Nothing moves while the pointer or the
// focus is in it, or rows are selected: spec/console.md 3.10.
function order(form, update) {
  const of = document.getElementById("tableof");
  if (!of) return;
  if (!form) {
    // What the page says instead of a table is no longer so.
    on(of.dataset.topic, (d) => { if (d?.shown > 0 && !document.querySelector("main input:focus, main textarea:focus")) location.reload(); });
    return;
  }
  const table = form.querySelector("table"), again = table.querySelector("[data-resort]");
  const template = table.querySelector("template");
  let next = null;
  const rows = () => [...table.querySelectorAll("tbody tr[data-name]")];
  const keyOf = (part, name) => part + "\n" + name;
  const busy = () => table.matches(":hover") || table.contains(document.activeElement) || rows().some((r) => r.querySelector("input:checked"));
  const make = (name) => {
    const r = template.content.firstElementChild.cloneNode(true);
    r.dataset.name = name;
    r.dataset.live = "row:" + name.toLowerCase();
    const box = r.querySelector("input");
    box.value = name;
    box.setAttribute("aria-label", "Select " + name);
    put(r.querySelector('[data-f="name"]'), { t: name, href: "/servers/" + encodeURIComponent(name) });
    return r;
  };
  const apply = () => {
    const have = new Map(rows().map((r) => [keyOf(r.parentElement.dataset.part, r.dataset.name), r]));
    const bodies = new Map([...table.tBodies].map((b) => [b.dataset.part, b]));
    let last = table.tHead;
    for (const part of next.parts) {
      let body = bodies.get(part.title);
      if (!body) {
        body = el("tbody", { "data-part": part.title });
        if (part.title) body.append(el("tr", { class: "part" }, el("th", { colspan: table.tHead.rows[0].cells.length, scope: "rowgroup" }, part.title + " ", el("span", { class: "num" }))));
      }
      bodies.delete(part.title);
      if (last.nextElementSibling !== body) last.after(body);
      last = body;
      const count = body.querySelector("tr.part .num");
      if (count) count.textContent = part.names.length;
      let at = body.querySelector("tr[data-name]");
      for (const name of part.names) {
        const key = keyOf(part.title, name), r = have.get(key) || make(name);
        have.delete(key);
        if (r === at) at = at.nextElementSibling; else body.insertBefore(r, at);
      }
    }
    for (const r of have.values()) r.remove();
    for (const b of bodies.values()) b.remove();
    next = null;
    again.hidden = true;
    update();
    restart();
  };
  const look = () => {
    if (!next) return;
    const want = next.parts.flatMap((p) => p.names.map((n) => keyOf(p.title, n)));
    const n = moved(rows().map((r) => keyOf(r.parentElement.dataset.part, r.dataset.name)), want);
    if (!n) { next = null; again.hidden = true; return; }
    if (!busy()) { apply(); return; }
    again.querySelector("[data-changes]").textContent = n === 1 ? "1 change" : n + " changes";
    again.hidden = false;
  };
  again.querySelector("button").addEventListener("click", () => { if (next) apply(); table.closest(".scroll")?.focus({ preventScroll: true }); });
  on(of.dataset.topic, (d) => {
    if (!d) return;
    table.querySelector("[data-caption]").textContent = d.caption;
    next = d;
    look();
  });
  setInterval(look, 1000);
}

// names gives the cells of tables that are too wide for a phone the names of their
// columns: each row is a card there.
function names() {
  for (const table of document.querySelectorAll("main table:not(.cards-when-narrow)")) {
    const heads = [...(table.tHead?.rows[0]?.cells || [])], box = table.closest(".scroll");
    if (!box || (heads.length < 5 && box.scrollWidth <= box.clientWidth)) continue;
    table.classList.add("stack");
    const rows = [...table.querySelectorAll("tbody tr:not(.part)"), ...[...table.querySelectorAll("template")].flatMap((t) => [...t.content.querySelectorAll("tr")])];
    for (const r of rows) {
      if (r.cells.length !== heads.length) continue;
      [...r.cells].forEach((c, i) => { if (c.tagName === "TD" && !heads[i].querySelector(".hidden") && c.dataset.label === undefined) c.dataset.label = heads[i].textContent.trim(); });
    }
  }
}
