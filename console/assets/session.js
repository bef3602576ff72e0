// A session's end is announced a minute before, with a way to go on.
import { el } from "./live.js";
import { show } from "./dialogs.js";

export function session() {
  const root = document.documentElement;
  if (!root.dataset.idle) return;
  let idle = new Date(root.dataset.idle), ends = new Date(root.dataset.ends), open = null;
  const over = () => location.assign("/signin?next=" + encodeURIComponent(location.pathname + location.search));
  document.addEventListener("session-ended", over);
  setInterval(() => {
    const left = Math.ceil((Math.min(idle, ends) - Date.now()) / 1000);
    if (left <= -2) { over(); return; }
    if (open) { open.querySelector("[data-left]").textContent = Math.max(0, left) + " s"; return; }
    if (left > 60) return;
    const more = idle < ends;
    open = el("dialog", { "aria-labelledby": "end-title", role: "alertdialog" }, el("h2", { id: "end-title", text: "The session ends" }),
      el("p", {}, more ? "Nothing was done here for a while. The session ends in " : "A session lasts 12 hours. It ends in ", el("strong", { "data-left": true, text: left + " s" }), "."),
      el("div", { class: "actions" }, more ? el("button", { type: "button", class: "primary", autofocus: true, text: "Continue", onclick: async () => {
        const a = await fetch("/session/continue", { method: "POST" }).catch(() => null);
        if (a?.ok) { const d = await a.json(); idle = new Date(d.idle); ends = new Date(d.ends); open.close(); } else over();
      } }) : el("button", { type: "button", text: "Close", onclick: () => open.close() })));
    open.addEventListener("close", () => { if (more) open = null; });
    show(open);
  }, 1000);
}
