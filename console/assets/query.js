// Completion of WQL: classes after FROM, properties of the class elsewhere. Ctrl+Enter runs.
import { el } from "./live.js";

export function query() {
  const field = document.querySelector("textarea[data-wql]");
  const form = field?.closest("form[data-query]");
  if (!form) return;
  const list = el("ul", { class: "suggest", role: "listbox", id: "suggestions", hidden: true });
  field.after(list);
  field.setAttribute("aria-controls", "suggestions");
  field.setAttribute("aria-autocomplete", "list");
  const known = new Map(); // path -> promise of what the server told
  let at = -1, word = "";

  const ask = (path) => {
    const key = path + "?ns=" + encodeURIComponent(document.getElementById("ns").value);
    if (!known.has(key)) known.set(key, fetch(form.dataset.query + key).then((a) => (a.ok ? a.json() : null)).catch(() => null));
    return known.get(key);
  };
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
  const suggest = async () => {
    const before = field.value.slice(0, field.selectionStart);
    word = /[\w]*$/.exec(before)[0];
    const from = /\bFROM\s+(\w*)$/i.test(before);
    const name = /\bFROM\s+(\w+)/i.exec(field.value)?.[1];
    let words = [];
    if (from) words = (await ask("")) || [];
    else if (name && word) words = ((await ask("/" + encodeURIComponent(name)))?.properties || []).map((p) => p.name);
    if (field.value.slice(0, field.selectionStart) !== before) return;
    const low = word.toLowerCase();
    const found = words.filter((w) => w.toLowerCase().includes(low) && w !== word).sort((a, b) => a.toLowerCase().startsWith(low) < b.toLowerCase().startsWith(low) ? 1 : -1).slice(0, 12);
    if (!word || !found.length) { close(); return; }
    list.replaceChildren(...found.map((w, i) => el("li", { role: "option", id: "suggestion" + i, text: w, onmousedown: (e) => { e.preventDefault(); take(w); } })));
    list.hidden = false;
    mark(-1);
  };
  field.addEventListener("input", suggest);
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (e) => {
    if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); form.requestSubmit(); return; }
    if (list.hidden) return;
    if (e.key === "ArrowDown") { e.preventDefault(); mark((at + 1) % list.children.length); }
    else if (e.key === "ArrowUp") { e.preventDefault(); mark((at - 1 + list.children.length) % list.children.length); }
    else if ((e.key === "Enter" || e.key === "Tab") && at >= 0) { e.preventDefault(); take(list.children[at].textContent); }
    else if (e.key === "Escape") { e.stopPropagation(); close(); }
  });
}
