// The script of the console. Pages work without it; it makes them live. What comes
// from servers is put in place as text only.
import { follow } from "./live.js";

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

follow();
