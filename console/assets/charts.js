// Charts that go on while they are looked at, and the dashboard's line of who needs
// somebody. Numbers and texts only.
import { el, on, times } from "./live.js";

const shapes = { ok: "●", info: "◐", attention: "▲", blocked: "✕", none: "○" };
const width = 640, height = 120, gap = 26 * 60;
const y = (v) => (height - Math.max(0, Math.min(v, 100)) / 100 * (height - 8) - 4).toFixed(1);

export function charts() {
  const need = document.querySelector("[data-need]");
  if (need) on("counts", (d) => d && dashboard(need, d));
  const topic = document.querySelector('[data-live^="perf:"]')?.dataset.live;
  if (topic) on(topic, (d, error) => {
    if (error) document.querySelector('[data-f="perf.how"]').textContent = "Not live: " + error;
    if (d?.at) { sample("cpu", d.at, d.cpu); sample("memory", d.at, d.memory); }
  });
}

function dashboard(need, d) {
  const list = need.querySelector("ul"), shown = JSON.stringify(d.need);
  if (list && list.dataset.shown !== shown && !list.contains(document.activeElement)) {
    list.dataset.shown = shown;
    list.replaceChildren(...(d.need || []).map((n) => el("li", {}, el("a", { href: n.href, text: n.name }), " ",
      el("span", { class: "badge " + n.level, title: n.tip }, el("span", { class: "shape", "aria-hidden": "true", text: shapes[n.level] || "" }), " ", el("span", { class: "word", text: n.state })))));
  }
  const all = need.querySelector("a.button");
  if (all) all.hidden = !(d.need || []).length;
  const svg = document.querySelector("#changes svg"), sticks = svg ? [...svg.querySelectorAll("rect")] : [];
  const values = sticks.map((_, n) => d.f?.["hour" + n]?.v || 0), most = Math.max(1, ...values);
  sticks.forEach((s, n) => { const h = values[n] / most * 56; s.setAttribute("height", h.toFixed(1)); s.setAttribute("y", (60 - h).toFixed(1)); });
  if (svg && d.f?.changes) svg.setAttribute("aria-label", "State changes per hour of the last 24 hours: " + d.f.changes.t);
}

// sample adds a point to the chart of the last hour, and a row to a table.
function sample(id, at, value) {
  const rows = document.querySelector(`[data-samples="${id}"]`);
  if (rows && value !== null && !rows.contains(document.activeElement)) {
    const time = el("time", { datetime: new Date(at * 1000).toISOString() });
    rows.prepend(el("tr", {}, el("td", {}, time), el("td", { class: "num", text: Math.round(value) + "\u202f%" })));
    times(rows);
    while (rows.rows.length > 1500) rows.lastElementChild.remove();
  }
  const svg = document.querySelector(`svg[data-chart="${id}"]`);
  if (!svg) return;
  const from = +svg.dataset.from, span = +svg.dataset.to - from;
  if (span > 3700) return; // a point in five seconds is less than one on the screen
  const points = [];
  for (const line of svg.querySelectorAll("polyline")) {
    for (const p of line.getAttribute("points").split(" ")) {
      const [x, h] = p.split(",");
      points.push([from + x / width * span, h]);
    }
    line.remove();
  }
  if (value !== null) points.push([at, y(value)]);
  const start = at - span;
  let line = [], last = 0;
  const end = () => {
    if (line.length === 1) line.push(line[0]);
    if (line.length) {
      const e = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
      e.setAttribute("class", "line");
      e.setAttribute("points", line.join(" "));
      svg.append(e);
    }
    line = [];
  };
  for (const [t, h] of points) {
    if (t < start) continue;
    if (last && t - last > gap) end();
    line.push(((t - start) / span * width).toFixed(1) + "," + h);
    last = t;
  }
  end();
  svg.dataset.from = start;
  svg.dataset.to = at;
}
