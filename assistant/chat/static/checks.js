// The number of a face is pressed: the photos are looked at again with that face.
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-pick]");
  if (!button) return;
  for (const each of element.querySelectorAll("button[data-pick]")) each.disabled = true;
  trigger("pick", { face: button.dataset.pick });
});
