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

  // A citation or the glossary closes when something else is pressed, the glossary on Escape too.
  document.addEventListener("click", (event) => {
    for (const opened of document.querySelectorAll("details.cite[open], details.glossary[open]"))
      if (!opened.contains(event.target)) opened.removeAttribute("open");
  });
  document.addEventListener("keydown", (event) => {
    const glossary = document.querySelector("details.glossary[open]");
    if (event.key !== "Escape" || !glossary) return;
    glossary.removeAttribute("open");
    glossary.querySelector("summary").focus();
  });
}
