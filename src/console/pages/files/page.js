// Copies a secret that is shown once, for whoever has a script; all else works without.
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
