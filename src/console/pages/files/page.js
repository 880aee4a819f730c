// What a script makes nicer; all works without.

// Copies a secret that is shown once.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  const told = document.getElementById(button.dataset.copy + "-told");
  try {
    await navigator.clipboard.writeText(field.value);
    told.textContent = "Copied.";
  } catch {
    field.focus();
    field.select();
    told.textContent = "Press Ctrl+C to copy.";
  }
});

// Keeps where somebody was in a list while the page around it is loaded again.
const places = {};
document.addEventListener("htmx:beforeSwap", () => {
  for (const list of document.querySelectorAll(".scroll[id]")) {
    places[list.id] = list.scrollTop;
  }
});
document.addEventListener("htmx:afterSettle", () => {
  for (const list of document.querySelectorAll(".scroll[id]")) {
    list.scrollTop = places[list.id] ?? 0;
  }
});
