// The list of events: new ones come by themselves, wait while somebody is in the list or
// has paused it, and can be copied.
import { el, on, say, times } from "./live.js";

const shapes = { ok: "●", info: "◐", attention: "▲", blocked: "✕", none: "○" };
const mostRows = 2000;

export function events() {
  const table = document.querySelector("table[data-events]");
  if (!table) return;
  const body = table.tBodies[0], many = table.hasAttribute("data-many");
  const button = document.querySelector("[data-pauseevents]"), news = table.querySelector("[data-new]"), count = table.querySelector("[data-count]");
  const topics = table.dataset.events.split("\n").filter(Boolean);
  let paused = false, inside = false;
  const waiting = new Map(), complete = new Map();
  const have = new Set([...body.rows].map((r) => r.dataset.event));

  const row = (e) => {
    const time = el("time", { datetime: e.time });
    const badge = el("span", { class: "badge " + e.badge }, el("span", { class: "shape", "aria-hidden": "true", text: shapes[e.badge] || "" }), " ", el("span", { class: "word", text: e.level }));
    const note = [e.task && "Task " + e.task, e.user && "User " + e.user, "Record " + e.record].filter(Boolean).join(" · ");
    const message = el("details", {}, el("summary", { text: e.first }), el("pre", { text: e.message }), el("p", { class: "note", text: note }),
      el("p", { class: "bar" }, el("button", { type: "button", "data-copyevent": true, text: "Copy" }), " ", el("a", { class: "button", href: e.same.startsWith("/events?") ? e.same : "/events", text: "Same ID everywhere" })));
    const source = many ? [el("th", { scope: "row" }, el("a", { href: "/servers/" + encodeURIComponent(e.server) + "/events", text: e.server })), el("td", { text: e.source })] : [el("th", { scope: "row", text: e.source })];
    return el("tr", { "data-event": e.key, "data-name": e.server, class: "changed" }, el("td", {}, badge), el("td", {}, time), ...source, el("td", { class: "num", text: String(e.id) }), el("td", { text: e.log }), el("td", { class: "message" }, message));
  };

  const show = () => {
    const list = [...waiting.values()].sort((a, b) => (a.time < b.time ? -1 : 1));
    waiting.clear();
    for (const e of list) {
      const r = row(e);
      const next = [...body.rows].find((o) => (o.querySelector("time")?.dateTime || "") <= e.time);
      if (next) next.before(r); else body.append(r);
      have.add(e.key);
    }
    while (body.rows.length > mostRows) { have.delete(body.lastElementChild.dataset.event); body.lastElementChild.remove(); }
    if (!list.length) return;
    document.getElementById("eventbox").hidden = false;
    document.getElementById("noevents")?.remove();
    count.textContent = String(body.rows.length);
    times(body);
    say(list.length === 1 ? "One new event." : list.length + " new events.");
  };
  const tell = () => {
    const n = waiting.size;
    if (!n) { news.replaceChildren(); return; }
    if (!paused && !inside) { show(); news.replaceChildren(); return; }
    const text = (n === 1 ? "1 new event" : n + " new events");
    const b = news.querySelector("button") || el("button", { type: "button", onclick: () => { show(); news.replaceChildren(); } });
    b.textContent = text + " · Show";
    if (!b.parentNode) news.append(b);
  };

  const how = document.querySelector("[data-how]"), hows = new Map();
  const tellHow = (t, text) => {
    hows.set(t, text);
    const counts = new Map();
    for (const h of hows.values()) counts.set(h, (counts.get(h) || 0) + 1);
    how.textContent = [...counts].map(([h, n]) => (many ? n + (n === 1 ? " server: " : " servers: ") : "") + h).join("; ");
  };

  for (const t of topics) on(t, (d, error) => {
    if (error) tellHow(t, "Not live: " + error);
    if (!d?.events) return;
    tellHow(t, d.how);
    const before = complete.get(t);
    if (before && Date.parse(d.since) > before) news.before(el("a", { class: "button", href: location.href, text: "Some may be missing · Refresh" }));
    complete.set(t, Date.now());
    for (const e of d.events) if (!have.has(e.key)) waiting.set(e.key, e);
    tell();
  });

  if (button && topics.length) {
    button.hidden = false;
    button.addEventListener("click", () => {
      paused = !paused;
      button.setAttribute("aria-pressed", String(paused));
      button.textContent = paused ? "▶ Go on" : "‖ Pause";
      say(paused ? "New events wait." : "Live again.");
      tell();
    });
  }
  const leave = () => { inside = body.contains(document.activeElement) || body.matches(":hover"); if (!inside) tell(); };
  for (const kind of ["mouseenter", "mouseleave", "focusin", "focusout"]) body.addEventListener(kind, () => setTimeout(leave, 0));

  for (const b of body.querySelectorAll("[data-copyevent]")) b.hidden = false;
  body.addEventListener("click", async (c) => {
    const b = c.target.closest("[data-copyevent]"), r = b?.closest("tr");
    if (!r) return;
    const cells = [...r.cells].slice(0, -1).map((x) => x.querySelector("time")?.dateTime || x.querySelector(".word")?.textContent || x.textContent);
    const names = [...table.tHead.rows[0].cells].map((x) => x.textContent);
    const lines = cells.map((x, n) => names[n] + ": " + x.trim());
    if (!many) lines.unshift("Server: " + r.dataset.name);
    await navigator.clipboard.writeText(lines.join("\n") + "\n" + r.querySelector("pre").textContent + "\n");
    b.textContent = "Copied";
    setTimeout(() => { b.textContent = "Copy"; }, 2000);
  });
}
