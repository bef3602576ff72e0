// Tables with rows that are selected: what can be done with them appears when some are.
export function tables() {
  const form = document.getElementById("rowsform");
  if (!form) return;
  const bar = document.getElementById("selection"), all = form.querySelector("[data-all]");
  const boxes = () => [...form.querySelectorAll("tbody input[type=checkbox][name=server]")];
  const update = () => {
    const n = boxes().filter((b) => b.checked).length;
    if (bar) { bar.classList.toggle("some", n > 0); bar.querySelector("[data-count]").textContent = n + " selected"; for (const b of bar.querySelectorAll("button[data-needs]")) b.disabled = n === 0 || b.dataset.forbidden !== undefined; }
    if (all) { all.checked = n > 0 && n === boxes().length; all.indeterminate = n > 0 && n < boxes().length; }
  };
  if (all) { all.hidden = false; all.addEventListener("change", () => { for (const b of boxes()) b.checked = all.checked; update(); }); }
  form.addEventListener("change", update);
  form.addEventListener("click", (e) => {
    if (e.target.closest("[data-clear]")) { for (const b of boxes()) b.checked = false; update(); }
    const row = e.target.closest("tbody tr");
    if (row && !e.target.closest("a, button, input, summary, label") && matchMedia("(max-width: 640px)").matches) row.classList.toggle("open");
  });
  update();
}
