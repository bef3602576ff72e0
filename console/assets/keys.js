// Keys of spec/console.md 3.7. None acts while a field has the focus.
import { el, pause } from "./live.js";
import { show } from "./dialogs.js";

const list = [["?", "this list"], ["/", "filter"], ["g d", "dashboard"], ["g s", "servers"], ["g w", "work"], ["g q", "query"], ["j k ↓ ↑", "next, previous row"],
  ["Enter", "open"], ["x", "select"], ["Shift+x", "select up to here"], ["*", "select all shown"], ["r", "refresh"], ["a", "add servers"], ["m or Shift+F10", "menu of the row"],
  ["d", "doctor"], ["p", "pause live"], ["[ ]", "previous, next tab"], ["Esc", "close, clear"], ["Ctrl/⌘+Enter", "run a query"], ["Ctrl+]", "leave a shell"]];

export function shortcuts() {
  const d = el("dialog", { "aria-labelledby": "keys-title" }, el("h2", { id: "keys-title", text: "Keyboard" }),
    el("dl", { class: "keys" }, ...list.flatMap(([k, t]) => [el("dt", {}, ...k.split(" ").flatMap((x) => [el("kbd", { text: x }), " "])), el("dd", { text: t })])),
    el("div", { class: "actions" }, el("button", { type: "button", text: "Close", onclick: (e) => e.target.closest("dialog").close() })));
  show(d);
}

const rowsOf = () => [...document.querySelectorAll("table[data-rows] tbody tr:not(.part)")].filter((r) => !r.hidden);
let at = null, from = null, pending = "", pendingTimer = 0;

function move(step) {
  const rows = rowsOf();
  if (!rows.length) return;
  const n = Math.min(rows.length - 1, Math.max(0, rows.indexOf(at) + step));
  at?.classList.remove("at");
  at = rows[at ? n : 0];
  at.classList.add("at");
  (at.querySelector("th a, th button, td a") || at).focus({ preventScroll: true });
  at.scrollIntoView({ block: "nearest" });
}

function pick(row, range) {
  const box = row?.querySelector("input[type=checkbox][name]");
  if (!box) return;
  const rows = rowsOf();
  const [a, b] = range && from ? [rows.indexOf(from), rows.indexOf(row)].sort((x, y) => x - y) : [rows.indexOf(row), rows.indexOf(row)];
  const on = range ? true : !box.checked;
  for (const r of rows.slice(a, b + 1)) { const c = r.querySelector("input[type=checkbox][name]"); if (c) c.checked = on; }
  from = row;
  box.dispatchEvent(new Event("change", { bubbles: true }));
}

const go = (path) => location.assign(path);
const click = (sel) => { const e = document.querySelector(sel); if (e && !e.disabled) e.click(); return !!e; };

export function keys() {
  document.addEventListener("focusin", (e) => { const r = e.target.closest?.("table[data-rows] tbody tr"); if (r) { at?.classList.remove("at"); at = r; r.classList.add("at"); } });
  document.addEventListener("keydown", (e) => {
    if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey) return;
    const field = e.target.closest?.("input:not([type=checkbox],[type=radio]), textarea, select, [contenteditable]");
    if (e.key === "Escape" && field?.matches("[type=search]")) { field.blur(); return; }
    if (e.key === "Escape") { for (const d of document.querySelectorAll("details.menu[open]")) { d.open = false; d.querySelector("summary").focus(); } return; }
    if (field || document.querySelector("dialog[open]") || document.documentElement.dataset.nokeys !== undefined) return;
    const k = e.key;
    let done = true;
    if (pending === "g") {
      pending = "";
      const to = { d: "/", s: "/servers", w: "/work", q: "/query" }[k];
      if (to) { go(to); e.preventDefault(); }
      return;
    }
    switch (k) {
      case "?": shortcuts(); break;
      case "/": (document.querySelector("[data-filter]") || document.getElementById("search"))?.focus(); break;
      case "g": pending = "g"; clearTimeout(pendingTimer); pendingTimer = setTimeout(() => { pending = ""; }, 1500); break;
      case "j": case "ArrowDown": if (k === "ArrowDown" && !e.target.closest("table[data-rows]")) { done = false; break; } move(1); break;
      case "k": case "ArrowUp": if (k === "ArrowUp" && !e.target.closest("table[data-rows]")) { done = false; break; } move(-1); break;
      case "x": pick(at, false); break;
      case "X": pick(at, true); break;
      case "*": click("[data-all]"); break;
      case "r": done = click("[data-key-refresh]"); break;
      case "a": go("/servers/add"); break;
      case "m": done = !!at && !!at.querySelector("details.menu > summary, details.rowmenu > summary"); if (done) { const d = at.querySelector("details.menu, details.rowmenu"); d.open = true; d.querySelector("a,button:not(:disabled)")?.focus(); } break;
      case "d": { const n = at?.dataset.name || document.documentElement.dataset.server || document.querySelector("[data-server]")?.dataset.server; if (n) go("/servers/" + encodeURIComponent(n) + "/doctor"); break; }
      case "p": pause(); break;
      case "[": case "]": {
        const tabs = [...document.querySelectorAll(".tabs a")], n = tabs.findIndex((t) => t.hasAttribute("aria-current"));
        const t = tabs[n + (k === "]" ? 1 : -1)];
        if (t) t.click(); break;
      }
      default: done = false;
    }
    if (done) e.preventDefault();
  });
}
