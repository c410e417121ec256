// Buttons of the list of cases become events; a name and a deletion are asked for first.
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-case]");
  if (!button) return;
  const { case: id, do: action, name } = button.dataset;
  let value = "";
  if (action === "rename") {
    value = window.prompt("Name of the case (empty for none)", name || "");
    if (value === null) return;
  }
  if (action === "share") {
    value = window.prompt("Accounts that may see this case, with commas between them (empty: nobody else)", name || "");
    if (value === null) return;
  }
  if (action === "unlock") {  // a password field: what window.prompt asks for can be read
    const field = button.parentElement.querySelector("input.passphrase");
    value = field.value;
    field.value = "";
    if (!value) return;
  }
  if (action === "delete" && !window.confirm(
    `Delete “${name}” for good, with its record, photos and reports? This cannot be undone.`
  )) return;
  button.disabled = true;
  setTimeout(() => { button.disabled = false; }, 1500);  // a refusal draws nothing anew
  trigger(action === "open" ? "enter" : "act", { action, id, value });
});
