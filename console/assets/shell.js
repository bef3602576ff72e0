// The shell of a page: Enter sends a line, Ctrl+] leaves the field, the output follows.
import { say } from "./live.js";
import { report } from "./dialogs.js";

export function shell() {
  const output = document.querySelector("[data-scroll]");
  if (!output) return;
  const box = output.closest("pre"), field = document.getElementById("line");
  let kept = true; // at the end: it follows the output
  const down = () => { if (kept) box.scrollTop = box.scrollHeight; };
  box.addEventListener("scroll", () => { kept = box.scrollHeight - box.scrollTop - box.clientHeight < 24; });
  down();

  // What a screen reader says of it: spec/console.md 4.
  const announce = document.querySelector("[data-announce]");
  const choice = announce?.querySelector("select");
  const speak = () => { box.setAttribute("aria-live", choice.value === "all" ? "polite" : "off"); };
  if (choice) {
    announce.hidden = false;
    choice.value = localStorage.getItem("announce") || "all";
    choice.addEventListener("change", () => { localStorage.setItem("announce", choice.value); speak(); });
    speak();
  }
  new MutationObserver(() => {
    down();
    if (choice?.value === "last") say(output.textContent.trimEnd().split("\n").pop());
  }).observe(output, { childList: true, characterData: true, subtree: true });

  const history = [];
  let at = 0;
  for (const form of document.querySelectorAll("form[data-shell]")) {
    form.addEventListener("submit", async (e) => {
      e.preventDefault();
      const data = new URLSearchParams(new FormData(form, e.submitter));
      const line = data.get("line");
      if (line) { history.push(line); at = history.length; }
      if (field && form.contains(field)) { field.value = ""; field.rows = 1; }
      kept = true;
      try {
        const a = await fetch(form.action, { method: "POST", body: data, headers: { Accept: "application/json" } });
        if (!a.ok) report((await a.json().catch(() => ({}))).detail || "The console refused (" + a.status + ").", "problem");
      } catch {
        report("The line did not reach the console.", "problem");
        if (field && line && !field.value) field.value = line;
      }
    });
  }
  // Keyboards on glass tell of no Enter, only of the line that it would break.
  let shift = false, sent = 0;
  const send = () => { sent = Date.now(); field.form.requestSubmit(); };
  field?.addEventListener("beforeinput", (e) => {
    if ((e.inputType !== "insertLineBreak" && e.inputType !== "insertParagraph") || shift) return;
    e.preventDefault();
    if (Date.now() - sent > 300) send();
  });
  field?.addEventListener("keydown", (e) => {
    shift = e.shiftKey;
    if (e.key === "Enter" && !e.shiftKey && !e.isComposing) { e.preventDefault(); send(); }
    else if (e.key === "]" && e.ctrlKey) { e.preventDefault(); document.getElementById("main").focus(); }
    else if (e.key === "ArrowUp" && !field.value.includes("\n") && at > 0) { e.preventDefault(); field.value = history[--at]; }
    else if (e.key === "ArrowDown" && !field.value.includes("\n") && at < history.length) { e.preventDefault(); field.value = history[++at] || ""; }
  });
  field?.addEventListener("input", () => { field.rows = Math.min(8, field.value.split("\n").length); });
}
