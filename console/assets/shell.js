// The shell of a page: Enter sends a line, Ctrl+] leaves the field, the output follows.
export function shell() {
  const output = document.querySelector("[data-scroll]");
  if (!output) return;
  const box = output.closest("pre"), field = document.getElementById("line");
  let kept = true; // at the end: it follows the output
  box.addEventListener("scroll", () => { kept = box.scrollHeight - box.scrollTop - box.clientHeight < 24; });
  new MutationObserver(() => { if (kept) box.scrollTop = box.scrollHeight; }).observe(output, { childList: true, characterData: true, subtree: true });
  box.scrollTop = box.scrollHeight;
  const history = [];
  let at = 0;
  for (const form of document.querySelectorAll("form[data-shell]")) {
    form.addEventListener("submit", async (e) => {
      e.preventDefault();
      const data = new URLSearchParams(new FormData(form, e.submitter));
      const line = data.get("line");
      if (line) { history.push(line); at = history.length; }
      if (field && form.contains(field)) { field.value = ""; field.rows = 1; }
      try {
        const a = await fetch(form.action, { method: "POST", body: data, headers: { Accept: "application/json" } });
        if (!a.ok) location.reload();
      } catch { document.getElementById("status").textContent = "The line did not reach the console."; }
    });
  }
  field?.addEventListener("keydown", (e) => {
    if (e.key === "Enter" && !e.shiftKey) { e.preventDefault(); field.form.requestSubmit(); }
    else if (e.key === "]" && e.ctrlKey) { e.preventDefault(); document.getElementById("main").focus(); }
    else if (e.key === "ArrowUp" && !field.value.includes("\n") && at > 0) { e.preventDefault(); field.value = history[--at]; }
    else if (e.key === "ArrowDown" && !field.value.includes("\n") && at < history.length) { e.preventDefault(); field.value = history[++at] || ""; }
  });
  field?.addEventListener("input", () => { field.rows = Math.min(8, field.value.split("\n").length); });
}
