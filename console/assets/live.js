// One event stream for a tab. Elements with data-live=TOPIC follow a topic; a message
// puts its fields in the elements with data-f=NAME inside of them. Everything is set as
// text. See live.go for what a message is.

const shapes = { ok: "●", info: "◐", attention: "▲", blocked: "✕", none: "○" };
const listeners = new Map(); // topic -> functions
let source = null, poll = 0, lastId = "", lastAt = Date.now(), lostAt = 0, paused = false, hiddenTimer = 0, wanted = "";

// on calls f with the data of a topic each time that it comes.
export function on(topic, f) {
  if (!listeners.has(topic)) listeners.set(topic, []);
  listeners.get(topic).push(f);
  restart();
}

export function el(tag, props = {}, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props)) {
    if (v === undefined || v === null || v === false) continue;
    if (k === "text") e.textContent = v;
    else if (k.startsWith("on")) e.addEventListener(k.slice(2), v);
    else e.setAttribute(k, v === true ? "" : v);
  }
  e.append(...children);
  return e;
}

function local(href) { return typeof href === "string" && href.startsWith("/") && !href.startsWith("//") ? href : null; }

// only is the one child of an element where it is such a one already, so that what
// has the focus keeps it; else a new one in place of everything.
function only(e, tag, cls) {
  const c = e.childElementCount === 1 ? e.firstElementChild : null;
  if (c && c.tagName === tag.toUpperCase() && (!cls || c.classList.contains(cls))) return c;
  const n = el(tag);
  e.replaceChildren(n);
  return n;
}

function write(e, text) { if (e.textContent !== text) e.textContent = text; }
function attr(e, name, value) { if (value) { if (e.getAttribute(name) !== value) e.setAttribute(name, value); } else e.removeAttribute(name); }

// put sets what an element shows: {t, tip, level, v, at, href}.
export function put(e, f) {
  if (typeof f === "string") f = { t: f };
  e.toggleAttribute("hidden", !!f.hide);
  if (f.hide) return;
  if (e.tagName === "rect") { if (f.v !== undefined) e.setAttribute("width", f.v); return; }
  if (e.dataset.toggle !== undefined) return;
  if (e.type === "checkbox") { if (f.v !== undefined && e.checked === e.defaultChecked) e.checked = e.defaultChecked = !!f.v; return; } // what somebody just ticked stays
  if (e.tagName === "METER") { if (f.v !== undefined) e.value = f.v; return; }
  if (e.dataset.grow !== undefined) { grow(e, f.t); return; }
  if (e.dataset.shown === JSON.stringify(f)) return;
  e.dataset.shown = JSON.stringify(f);
  if (f.level && (e.querySelector(".badge") || e.dataset.f === "state" || e.dataset.badge !== undefined)) {
    const b = only(e, "span", "badge");
    b.className = "badge " + f.level;
    attr(b, "title", f.tip);
    if (!b.querySelector(".word")) b.replaceChildren(el("span", { class: "shape", "aria-hidden": "true" }), " ", el("span", { class: "word" }));
    write(b.querySelector(".shape"), shapes[f.level] || "");
    write(b.querySelector(".word"), f.t);
  } else if (f.at) {
    const t = only(e, "time");
    attr(t, "datetime", f.at);
    attr(t, "title", f.tip);
    write(t, f.t);
    times(e);
  } else if (local(f.href) && f.t) {
    const a = only(e, "a");
    attr(a, "href", f.href);
    attr(a, "title", f.tip);
    write(a, f.t);
  } else if (f.tip) {
    const s = only(e, "span");
    attr(s, "title", f.tip);
    write(s, f.t);
  } else {
    write(e, f.t);
  }
}

// grow adds what is new of a text that grows at its end and may lose its beginning:
// what is selected stays so, and a screen reader hears the new part alone.
function grow(e, text) {
  const old = e.textContent;
  if (text === old) return;
  const from = old && text ? old.indexOf(text.slice(0, 256)) : -1;
  if (from < 0 || !text.startsWith(old.slice(from)) || old.length > 4 * text.length + 65536) e.textContent = text;
  else e.append(text.slice(old.length - from));
}

// again loads the page anew; focus and place are then where they were, and text is
// said. It waits while somebody writes in a field.
export function again(text) {
  const at = document.activeElement;
  if (at?.matches("input:not([type=checkbox],[type=radio]), textarea, select")) { at.addEventListener("blur", () => again(text), { once: true }); return; }
  sessionStorage.setItem("again", JSON.stringify({ here: location.pathname, at: place(at), y: scrollY, text }));
  location.reload();
}

// place is a selector for an element: its id, or its way from the nearest one.
function place(e) {
  if (!e || e === document.body) return "";
  if (e.id) return "#" + CSS.escape(e.id);
  const n = [...e.parentElement.children].indexOf(e) + 1;
  return (place(e.parentElement) || "body") + ">:nth-child(" + n + ")";
}

function back() {
  const was = JSON.parse(sessionStorage.getItem("again") || "null");
  sessionStorage.removeItem("again");
  if (was?.here !== location.pathname) return;
  if (was.at) document.querySelector(was.at)?.focus({ preventScroll: true });
  scrollTo(0, was.y);
  if (was.text) say(was.text);
}

// rows puts a list in the body of a table: {key, level, f} each, by the table's template.
function rows(box, list) {
  const template = box.querySelector("template") || box.closest("table")?.querySelector("template");
  const body = box.tagName === "TBODY" ? box : box.querySelector("tbody");
  if (!template || !body) return;
  const have = new Map([...body.querySelectorAll("tr[data-key]")].map((r) => [r.dataset.key, r]));
  let after = null;
  for (const item of list) {
    let r = have.get(item.key);
    if (!r) {
      r = template.content.firstElementChild.cloneNode(true);
      r.dataset.key = item.key;
      for (const i of r.querySelectorAll("[data-keyvalue]")) i.value = item.key;
      if (after) after.after(r); else body.append(r);
    }
    have.delete(item.key);
    fill(r, item);
    after = r;
  }
  for (const r of have.values()) if (r.contains(document.activeElement)) r.classList.add("stale"); else r.remove();
}

function fill(box, data) {
  const f = data.f || {};
  // What is in a row of the box, or follows a topic of its own, is not the box's.
  const own = (e) => { const of = e.closest("tr[data-key], [data-live]"); return of === box || of === null || of.contains(box); };
  const targets = [...box.querySelectorAll("[data-f]")].filter(own);
  if (box.dataset.f) targets.push(box);
  for (const e of targets) if (f[e.dataset.f] !== undefined) put(e, f[e.dataset.f]);
  for (const e of box.querySelectorAll("[data-shape]")) {
    const level = f[e.dataset.shape]?.level;
    if (level) { e.className = "shape " + level; e.textContent = shapes[level]; }
  }
  if (data.stale !== undefined) box.classList.toggle("stale", data.stale);
  if (data.gone) box.classList.add("stale");
  if (f.failed) box.querySelector("[data-failed]")?.classList.toggle("bad", f.failed.t !== "0");
  if (box.classList.contains("need") && f.need) box.className = "need " + (f.need.level || "");
}

function take(messages) {
  for (const m of messages) {
    if (m.data) {
      for (const box of document.querySelectorAll(`[data-live="${CSS.escape(m.topic)}"]`)) {
        if (m.data.rows) rows(box, m.data.rows);
        const before = box.tagName === "TR" ? box.textContent : "";
        fill(box, m.data);
        if (before && before !== box.textContent) { box.classList.remove("changed"); void box.offsetWidth; box.classList.add("changed"); }
      }
    }
    for (const f of listeners.get(m.topic) || []) f(m.data, m.error);
  }
}

let said = 0;
// say announces one sentence, at most one in five seconds.
export function say(text) {
  const status = document.getElementById("status");
  const wait = Math.max(0, said + 5000 - Date.now());
  said = Date.now() + wait;
  setTimeout(() => { status.textContent = text; }, wait);
}

function clock(t) { return new Date(t).toLocaleTimeString("en-GB", document.documentElement.dataset.time === "utc" ? { timeZone: "UTC" } : {}); }

function state(s, text) {
  const box = document.getElementById("livestate");
  if (!box) return;
  if (box.dataset.state !== s && (s === "lost" || box.dataset.state === "lost")) say(s === "lost" ? "Connection lost; the data is getting old." : "Live again.");
  box.dataset.state = s;
  document.getElementById("livetext").textContent = text;
}

function topics() {
  const inView = (e) => { const b = e.getBoundingClientRect(); return b.bottom > -300 && b.top < innerHeight + 300; };
  const list = new Set(listeners.keys());
  for (const e of document.querySelectorAll("[data-live]")) if (e.tagName !== "TR" || inView(e)) list.add(e.dataset.live);
  return [...list].sort().slice(0, 300);
}

function address(path, extra) { return path + "?" + new URLSearchParams([...topics().map((t) => ["t", t]), ...Object.entries(extra || {})]); }

function close() {
  source?.close();
  source = null;
  clearInterval(poll);
  poll = 0;
}

function open() {
  close();
  const base = document.documentElement.dataset.livepath || "/live";
  if (paused || !document.getElementById("livestate")) return;
  wanted = topics().join("\n");
  if (!wanted) return;
  source = new EventSource(address(base, lastId ? { since: lastId } : {}));
  source.onopen = () => { lastAt = Date.now(); lostAt = 0; state("live", "Live · " + clock(lastAt)); };
  source.onmessage = (m) => { lastId = m.lastEventId; lastAt = Date.now(); state("live", "Live · " + clock(lastAt)); take(JSON.parse(m.data)); };
  source.addEventListener("end", () => { close(); ended(); });
  source.onerror = () => {
    if (!lostAt) lostAt = Date.now();
    state("lost", "Reconnecting, data from " + clock(lastAt));
    if (source?.readyState === EventSource.CLOSED || Date.now() - lostAt > 10000) { close(); ask(); poll = setInterval(ask, 10000); }
  };
}

// ask is the polling that takes over where no stream comes through.
async function ask() {
  try {
    const base = document.documentElement.dataset.livepath || "/live";
    const a = await fetch(address(base + "/poll", { since: lastId }), { headers: { Accept: "application/json" } });
    if (a.status === 401) { close(); ended(); return; }
    if (!a.ok) throw new Error(a.status);
    const d = await a.json();
    lastId = d.id; lastAt = Date.now();
    take(d.messages);
    state("live", "Every 10 s · " + clock(lastAt));
    if (poll && lostAt && Date.now() - lostAt > 60000) { lostAt = 0; open(); }
  } catch { state("lost", "Reconnecting, data from " + clock(lastAt)); if (!poll) poll = setInterval(ask, 10000); }
}

function ended() {
  state("lost", "Signed out, data from " + clock(lastAt));
  document.dispatchEvent(new CustomEvent("session-ended"));
}

let later = 0;
// restart follows what the page shows now, after rows came or went.
export function restart() { clearTimeout(later); later = setTimeout(() => { if (topics().join("\n") !== wanted || (!source && !poll)) open(); }, 150); }

export function pause(on = !paused) {
  paused = on;
  if (on) { close(); state("paused", "Paused · " + clock(lastAt)); } else open();
  say(on ? "Paused." : "Live again.");
}

// times writes times in the zone that the user chose, and keeps relative ones true.
export function times(box = document) {
  const zone = document.documentElement.dataset.time;
  for (const t of box.querySelectorAll("time[datetime]")) {
    const d = new Date(t.dateTime), age = (Date.now() - d) / 1000;
    if (isNaN(d)) continue;
    const form = (tz) => d.toLocaleString("sv-SE", { timeZone: tz, dateStyle: "short", timeStyle: "short" });
    if (!t.dataset.clock) {
      t.textContent = age < -5 ? "in " + span(-age) : age < 10 ? "now" : age < 86400 ? span(age) + " ago" : form(zone === "local" ? undefined : "UTC");
    }
    t.title = form(undefined) + " here\n" + form("UTC") + " UTC" + (t.dataset.server ? "\n" + t.dataset.server : "");
  }
}
function span(s) { return s < 60 ? Math.floor(s) + " s" : s < 3600 ? Math.floor(s / 60) + " min" : Math.floor(s / 3600) + " h"; }

// follow begins.
export function follow() {
  times();
  back();
  setInterval(times, 10000);
  open();
  addEventListener("scroll", restart, { passive: true });
  addEventListener("resize", restart);
  addEventListener("pagehide", close);
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiddenTimer);
    if (document.hidden) hiddenTimer = setTimeout(close, 30000);
    else if (!source && !poll) open();
  });
}
