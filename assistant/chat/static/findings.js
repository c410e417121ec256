// Clicks inside of findings become events for the server. One listener each on the root, which
// stays while its content is drawn anew.
let focused = null;

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { hit, press, face, top, locate, explain, download } = button.dataset;
  if (hit) {
    focused = `[data-hit="${hit}"]`;
    for (const other of document.querySelectorAll("[data-hit][aria-pressed]"))
      other.setAttribute("aria-pressed", String(other.dataset.hit === hit));
    // The detail is the former hit's until the answer comes: it must not look like this one's.
    const shown = document.querySelector("#unmask-detail-title")?.textContent;
    if (shown !== hit) {
      document.getElementById("unmask-one")?.classList.add("waiting");
      setTimeout(() => document.getElementById("unmask-one")?.classList.remove("waiting"), 20000);
    }
    trigger("choose", { handle: hit });
    if (window.matchMedia("(max-width: 60rem)").matches)
      setTimeout(() => document.getElementById("unmask-one")?.scrollIntoView({ behavior: "smooth" }), 300);
  } else if (button.classList.contains("to-list")) {
    document.querySelector('#unmask-list [data-hit][aria-pressed="true"]')?.scrollIntoView({ block: "center" });
  } else if (press) {
    // What the button is about travels as the face's id: a handle may mean another face by now.
    focused = null;
    const note = press === "note" ? element.querySelector("textarea[data-note]") : null;
    trigger("press", { action: press, face: face || "", top: top || "", text: note ? note.value : "" });
    // A report is offered beside its button; all else is answered in the conversation.
    if (window.matchMedia("(max-width: 60rem)").matches && !press.startsWith("export:"))
      document.getElementById("unmask-chat")?.scrollIntoView({ behavior: "smooth" });
  } else if (download) {
    // The report came with the page: no address of the server leads to it.
    const bytes = Uint8Array.from(atob(button.dataset.content), (c) => c.charCodeAt(0));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes], { type: button.dataset.type }));
    link.download = download;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  } else if (locate) {
    focused = null;
    button.setAttribute("aria-busy", "true");
    button.disabled = true;
    button.textContent = "Measuring …";
    trigger("locate", { face: locate });
  } else if (explain) {
    focused = null;
    button.disabled = true;
    button.textContent = "Writing …";
    trigger("explain", { handle: explain });
  }
});

element.addEventListener("input", (event) => {
  if (event.target.matches(".compare input"))
    event.target.parentElement.style.setProperty("--at", `${event.target.value}%`);
});

// A numbered face in the conversation says its number; one of the two listeners is enough.
if (element.closest("#unmask-list"))
  document.addEventListener("unmask-say", (event) => trigger("ask", { question: event.detail }));

// Escape closes an open citation, wherever the focus is inside of it.
element.addEventListener("keydown", (event) => {
  if (event.key === "Escape") event.target.closest("details.cite")?.removeAttribute("open");
});

// A report that is ready is offered where it is seen, also if it was asked for by typing.
let offered = "";
const showOffer = () => {
  const button = element.querySelector(".ready button");
  const now = button ? `${button.dataset.download} ${button.dataset.content.length}` : "";
  const answering = document.querySelector("#unmask-composer .stop-button");
  if (answering && now && now !== offered) button.scrollIntoView({ block: "nearest" });
  offered = now;
};

// On a phone the long parts of a detail are folded until they are opened.
const fold = () => {
  if (window.matchMedia("(max-width: 60rem)").matches)
    for (const each of element.querySelectorAll("details.fold")) each.removeAttribute("open");
};
fold();

// Another hit, or one of another search, is read from its beginning.
const shownHit = () => element.querySelector("#unmask-detail")?.dataset.of;
let detailOf = shownHit();
const toBeginning = () => {
  if (detailOf === shownHit()) return;
  detailOf = shownHit();
  element.closest("#unmask-findings .column")?.scrollTo({ top: 0, behavior: "instant" });
};

watch("value", () => {
  toBeginning();
  element.closest("#unmask-one")?.classList.remove("waiting");
  fold();
  if (element.closest("#unmask-list")) showOffer();
  if (focused && (document.activeElement === document.body || !document.activeElement))
    element.querySelector(focused)?.focus({ preventScroll: true });
});
