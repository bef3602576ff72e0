// Keys of spec/console.md 3.7. None acts while a field has the focus.
import { el, pause } from "./live.js";
import { send, show } from "./dialogs.js";

const list = [["?", "this list"], ["/", "filter"], ["g d", "dashboard"], ["g s", "servers"], ["g w", "work"], ["g q", "query"], ["j k ↓ ↑", "next, previous row"],
  ["Enter", "open"], ["x", "select"], ["Shift+x", "select up to here"], ["*", "select all shown"], ["r", "refresh"], ["a", "add servers"], ["m or Shift+F10", "menu of the row"],
  ["d", "doctor"], ["p", "pause live"], ["[ ]", "previous, next tab"], ["Esc", "close, clear"], ["Ctrl/⌘+Enter", "run a query"], ["Ctrl+]", "leave a shell"]];

export function shortcuts() {
  if (document.querySelector("dialog[open]")) return;
  const off = document.documentElement.dataset.nokeys !== undefined;
  const d = el("dialog", { "aria-labelledby": "keys-title", tabindex: "-1" }, el("h2", { id: "keys-title", text: "Keyboard" }),
    ...(off ? [el("p", { text: "Keys of one letter are off; the Settings turn them on." })] : []),
    el("dl", { class: "keys" }, ...list.flatMap(([k, t]) => [el("dt", {}, ...k.split(" ").flatMap((x) => [x === "or" ? x : el("kbd", { text: x }), " "])), el("dd", { text: t })])),
    el("div", { class: "actions" }, el("button", { type: "button", text: "Close", onclick: (e) => e.target.closest("dialog").close() })));
  show(d);
  d.focus(); // not a button, which the rest of an Enter would press
}

const rowsOf = () => [...document.querySelectorAll("table[data-rows] tbody tr:not(.part)")].filter((r) => r.checkVisibility());
let at = null, from = null, pending = "", pendingTimer = 0;

function mark(row) {
  if (at !== row) at?.classList.remove("at");
  at = row;
  at?.classList.add("at");
}

// move goes to another row: its link has the focus then, or the row where it has none.
function move(step) {
  const rows = rowsOf();
  if (!rows.length) return false;
  if (!at?.isConnected) at = null;
  const n = at ? Math.min(rows.length - 1, Math.max(0, rows.indexOf(at) + step)) : step > 0 ? 0 : rows.length - 1;
  mark(rows[n]);
  let to = at.querySelector("th a, th button, td a");
  if (!to) { to = at; at.tabIndex = -1; }
  to.focus({ preventScroll: true });
  at.scrollIntoView({ block: "nearest" });
  return true;
}

const boxOf = (row) => row?.querySelector("input[type=checkbox][name]:not(:disabled)");

function pick(row, range) {
  const box = boxOf(row);
  if (!box) return false;
  const rows = rowsOf();
  const [a, b] = range && from?.isConnected ? [rows.indexOf(from), rows.indexOf(row)].sort((x, y) => x - y) : [rows.indexOf(row), rows.indexOf(row)];
  const on = range ? true : !box.checked;
  for (const r of rows.slice(a, b + 1)) { const c = boxOf(r); if (c) c.checked = on; }
  from = row;
  box.dispatchEvent(new Event("change", { bubbles: true }));
  return true;
}

const go = (path) => { location.assign(path); return true; };
const click = (sel) => { const e = document.querySelector(sel); if (!e || e.disabled) return false; e.click(); return true; };
const serverOf = (row) => (row?.dataset.live?.startsWith("row:") && row.dataset.name) || document.querySelector("[data-server]")?.dataset.server;

// menu opens that of a row, or goes to its first action where it shows them.
function menu(row) {
  const d = row?.querySelector("details.menu, details.rowmenu");
  if (d) d.open = true;
  const to = (d || row?.querySelector("td form, td.actions"))?.querySelector("a, button:not(:disabled), select, input:not([type=hidden],[type=checkbox])");
  to?.focus();
  return !!to;
}

// refresh asks what is selected, or the row that one is at, or the page's server.
function refresh() {
  if (click("[data-key-refresh]:not(:disabled)")) return true;
  const b = document.querySelector("[data-key-refresh]"), name = serverOf(at);
  if (!b || b.dataset.forbidden !== undefined || !name) return false;
  send("/servers/do", new URLSearchParams({ do: "refresh", server: name, back: location.pathname + location.search }));
  return true;
}

// escape closes what is open, else clears what is selected.
function escape(e) {
  for (const d of document.querySelectorAll("details.menu[open], details.rowmenu[open]")) { d.open = false; d.querySelector("summary").focus(); return true; }
  const field = e.target.closest?.("input[type=search]");
  if (field) {
    if (field.value) { field.value = ""; field.dispatchEvent(new Event("input", { bubbles: true })); } else field.blur();
    return true;
  }
  return [...document.querySelectorAll("table[data-rows] tbody input[type=checkbox]:checked")].length > 0 && click("[data-clear]");
}

const fields = "input:not([type=checkbox],[type=radio]), textarea, select, [contenteditable]";

export function keys() {
  document.addEventListener("focusin", (e) => { const r = e.target.closest?.("table[data-rows] tbody tr"); if (r) mark(r); });
  document.addEventListener("keydown", (e) => {
    if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]")) return;
    if (e.key === "Escape") { pending = ""; if (escape(e)) e.preventDefault(); return; }
    const inTable = e.target.closest?.("table[data-rows]");
    if (e.target.closest?.(fields)) return;
    // What is no single letter is there for those too who turned these off.
    let done = false;
    if ((e.key === "F10" && e.shiftKey) || e.key === "ContextMenu") done = menu(inTable ? at : null);
    else if (e.key === "ArrowDown" || e.key === "ArrowUp") done = inside(e) || (!!inTable && move(e.key === "ArrowDown" ? 1 : -1));
    else if (document.documentElement.dataset.nokeys === undefined) done = letter(e.key);
    if (done) e.preventDefault();
  });
}

// inside goes up and down in a menu that is open.
function inside(e) {
  const d = e.target.closest("details.menu[open], details.rowmenu[open]");
  if (!d) return false;
  const items = [...d.querySelectorAll("a, button:not(:disabled)")];
  const n = items.indexOf(document.activeElement) + (e.key === "ArrowDown" ? 1 : -1);
  items[Math.max(0, Math.min(items.length - 1, n))]?.focus();
  return items.length > 0;
}

function letter(k) {
  if (pending === "g") {
    pending = "";
    const to = { d: "/", s: "/servers", w: "/work", q: "/query" }[k];
    return to ? go(to) : false;
  }
  switch (k) {
    case "?": shortcuts(); return true;
    case "/": { const f = document.querySelector("main [data-filter]") || document.getElementById("search"); f?.focus(); f?.select?.(); return !!f; }
    case "g": pending = "g"; clearTimeout(pendingTimer); pendingTimer = setTimeout(() => { pending = ""; }, 1500); return true;
    case "j": return move(1);
    case "k": return move(-1);
    case "x": return pick(at, false);
    case "X": return pick(at, true);
    case "*": return click("[data-all]");
    case "r": return refresh();
    case "a": return go("/servers/add");
    case "m": return menu(at);
    case "d": { const n = serverOf(at); return n ? go("/servers/" + encodeURIComponent(n) + "/doctor") : false; }
    case "p": pause(); return true;
    case "[": case "]": {
      const tabs = [...document.querySelectorAll(".tabs a")], n = tabs.findIndex((t) => t.hasAttribute("aria-current"));
      const t = n < 0 ? null : tabs[n + (k === "]" ? 1 : -1)];
      t?.click();
      return !!t;
    }
    default: return false;
  }
}
