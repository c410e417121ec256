// Gradio names each message by its source text; a screen reader would read markup. The words
// themselves follow anyway, so the name says who speaks.
() => {
  const speakers = { bot: "Unmask", user: "You" };
  const rename = () => {
    for (const message of document.querySelectorAll("#unmask-chat [data-testid][aria-label]")) {
      const name = speakers[message.dataset.testid];
      if (name && message.getAttribute("aria-label") !== name) {
        message.setAttribute("role", "group");
        message.setAttribute("aria-label", name);
      }
    }
  };
  new MutationObserver(rename).observe(document.body, {
    subtree: true, childList: true, attributes: true, attributeFilter: ["aria-label"],
  });
  rename();

  // The conversation has no events of its own for a press inside of a message.
  document.addEventListener("click", (event) => {
    const box = event.target.closest?.("#unmask-chat .face-box");
    if (box) document.dispatchEvent(new CustomEvent("unmask-say", { detail: box.value }));
  });

  // A citation that was opened closes when something else is pressed.
  document.addEventListener("click", (event) => {
    for (const cite of document.querySelectorAll("details.cite[open]"))
      if (!cite.contains(event.target)) cite.removeAttribute("open");
  });
}
