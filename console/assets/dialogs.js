// Questions before an action, and what came of it: spec/console.md 3.5, 3.6.
import { again, el, say } from "./live.js";

// show opens a dialog and gives focus back to who opened it.
export function show(dialog) {
  const opener = document.activeElement;
  document.body.append(dialog);
  dialog.addEventListener("close", () => { dialog.remove(); opener?.focus?.(); });
  dialog.showModal();
}

// report shows a line that stays until it is dismissed; a failure is an alert.
export function report(text, kind = "done", undo = null) {
  const box = el("div", { class: kind, role: kind === "problem" ? "alert" : undefined },
    el("p", { text }),
    ...(undo ? [el("button", { type: "button", text: "Undo", onclick: () => { box.remove(); send(undo.path, new URLSearchParams(Object.entries(undo.values).flatMap(([k, v]) => v.map((x) => [k, x])))); } })] : []),
    el("button", { type: "button", class: "quiet", text: "Dismiss", onclick: () => box.remove() }));
  document.getElementById("alerts").append(box);
  if (kind !== "problem") { say(text); setTimeout(() => { if (!box.matches(":hover, :focus-within")) box.remove(); }, 12000); }
}

function question(c, again) {
  const typed = c.type ? el("input", { autocomplete: "off", "aria-label": "Type " + c.what + ", " + c.type, name: "typed" }) : null;
  const go = el("button", { class: "danger", text: c.do });
  const form = el("form", { method: "dialog" });
  const dialog = el("dialog", { "aria-labelledby": "ask-title" }, form);
  const cancel = el("button", { type: "button", text: "Cancel", onclick: () => dialog.close(), autofocus: true });
  form.append(el("h2", { id: "ask-title", text: c.title }));
  if (c.again) form.append(el("p", { class: "problem", role: "alert", text: c.again }));
  if (c.effect) form.append(el("p", { text: c.effect }));
  if (c.list?.length) form.append(el("ul", { class: "list", tabindex: "0", "aria-label": c.title }, ...c.list.map((n) => el("li", { text: n }))));
  const option = c.option ? el("input", { type: "checkbox" }) : null;
  if (option) form.append(el("p", {}, el("label", {}, option, " " + c.option.label)));
  if (typed) form.append(el("p", {}, el("label", {}, "Type " + c.what + ", ", el("code", { text: c.type }))), typed);
  form.append(el("div", { class: "actions" }, cancel, go));
  if (typed) {
    go.disabled = true;
    typed.addEventListener("input", () => { go.disabled = typed.value.trim().toLowerCase() !== c.type.toLowerCase(); });
  }
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    const body = new URLSearchParams(Object.entries(c.values).flatMap(([k, v]) => v.map((x) => [k, x])));
    if (typed) body.set("typed", typed.value);
    if (option?.checked) body.set(c.option.name, "yes");
    dialog.close();
    again(body);
  });
  show(dialog);
  cancel.focus();
}

// same tells whether an address is that of this page, however its query is written.
function same(address) {
  if (!address) return false;
  const u = new URL(address, location), text = (q) => { const p = new URLSearchParams(q); p.sort(); return p.toString(); };
  return u.pathname === location.pathname && text(u.search) === text(location.search);
}

// send does what a form does, and asks where a question comes back.
export async function send(path, body) {
  let a;
  try {
    a = await fetch(path, { method: "POST", body, headers: { Accept: "application/json, application/vnd.casement.answer+json" } });
  } catch {
    report("The console did not answer; whether it was done is not known. Look at Work before you try again.", "problem");
    return null;
  }
  const d = await a.json().catch(() => ({}));
  if (d.confirm) { question(d.confirm, (b) => send(path, b)); return null; }
  if (!a.ok || d.problem) { report(d.problem || d.detail || "The console refused (" + a.status + ").", "problem"); return null; }
  const here = same(d.location) ? d.location : "";
  if (d.reload) { if (d.location && d.location !== here) location.assign(d.location); else again(); return d; }
  if (d.location && d.location !== here && d.location !== "/") { location.assign(d.location); return d; }
  if (d.message) report(d.message, "done", d.undo);
  document.dispatchEvent(new CustomEvent("done", { detail: d }));
  return d;
}

// forms with data-act are sent without leaving the page.
export function forms() {
  document.addEventListener("submit", (e) => {
    const form = e.target;
    if (!(form instanceof HTMLFormElement) || form.dataset.act === undefined || e.defaultPrevented || e.submitter?.getAttribute("formmethod") === "get") return;
    e.preventDefault();
    const data = new FormData(form, e.submitter);
    const file = [...data.values()].some((v) => v instanceof File && v.size > 0);
    send(e.submitter?.getAttribute("formaction") || form.getAttribute("action"), file ? data : new URLSearchParams([...data].filter(([, v]) => typeof v === "string")))
      .then((d) => { if (!d && form.dataset.tick !== undefined) form.reset(); }); // a box shows what is, not what is being asked
  });
}
