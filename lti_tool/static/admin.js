// The administration: copy an address by a button, select it by a click. Without scripts it can be selected by hand.

for (const field of document.querySelectorAll("[data-select]")) {
  field.addEventListener("focus", () => field.select());
}

for (const button of document.querySelectorAll("[data-copy]")) {
  const words = button.innerHTML;
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      return; // not allowed here: it is selected, the keyboard copies it
    }
    button.textContent = button.dataset.done;
    button.setAttribute("role", "status");
    setTimeout(() => {
      button.innerHTML = words;
      button.removeAttribute("role");
    }, 2000);
  });
}
