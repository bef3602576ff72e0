// The script of the console. Pages work without it; it makes them live. What comes
// from servers is put in place as text only.
import { again, follow, on, say } from "./live.js";
import { forms } from "./dialogs.js";
import { keys, shortcuts } from "./keys.js";
import { tables } from "./table.js";
import { session } from "./session.js";
import { shell } from "./shell.js";
import { query } from "./query.js";
import { charts } from "./charts.js";
import { events } from "./events.js";

document.documentElement.dataset.scripted = "";
for (const b of document.querySelectorAll("button[data-show]")) {
  const input = document.getElementById(b.dataset.show);
  b.hidden = false;
  b.addEventListener("click", () => {
    const show = input.type === "password";
    input.type = show ? "text" : "password";
    b.textContent = show ? "Hide" : "Show";
  });
}
for (const s of document.querySelectorAll("select[data-submit]")) s.addEventListener("change", () => s.form.requestSubmit());
for (const i of document.querySelectorAll("input[data-submit]")) i.addEventListener("change", () => i.form.requestSubmit());
for (const i of document.querySelectorAll("input[data-some]")) i.indeterminate = true;
for (const b of document.querySelectorAll("button[data-copy]")) {
  b.hidden = false;
  b.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(b.dataset.copy).textContent.trim()); // a last line break would run it where it is pasted
    say("Copied.");
    const was = b.textContent;
    b.textContent = "Copied";
    setTimeout(() => { b.textContent = was; }, 2000);
  });
}
for (const a of document.querySelectorAll("[data-open-shortcuts]")) a.addEventListener("click", (e) => { e.preventDefault(); shortcuts(); });
document.addEventListener("click", (e) => { for (const d of document.querySelectorAll("details.menu[open]")) if (!d.contains(e.target)) d.open = false; });
document.addEventListener("focusout", (e) => { const d = e.target.closest("details.menu[open]"); if (d && e.relatedTarget && !d.contains(e.relatedTarget)) d.open = false; });
for (const t of document.querySelectorAll(".tabs [aria-current]")) t.parentElement.scrollLeft = t.offsetLeft - (t.parentElement.clientWidth - t.offsetWidth) / 2;

forms();
keys();
tables();
session();
shell();
query();
charts();
events();
for (const e of document.querySelectorAll("[data-doctor]")) on(e.dataset.doctor, (d) => { if (d?.done) again("The doctor has finished."); });
// A page that says more about a state than follows live is loaded anew when that changes.
for (const e of document.querySelectorAll("[data-reload]")) {
  let was;
  on(e.dataset.reload, (d) => {
    const now = JSON.stringify([d?.f?.state?.t, d?.f?.reason?.t]);
    if (was !== undefined && was !== now && !document.querySelector("dialog[open]")) location.reload();
    was = now;
  });
}
follow();
