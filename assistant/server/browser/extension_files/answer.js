// An answer as elements. Every text is data, the server's too: only textContent is set.
const CLASSES = {
  impersonation: "alarm", forged: "alarm", inconclusive: "open", copy: "copy",
  "no forgery found": "plain", other: "quiet", "not assessed": "quiet",
};

export function element(tag, content = "", className = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (Array.isArray(content)) made.append(...content);
  else made.textContent = content;
  return made;
}

/** The answer to a check; `picture` is the File, of which each face is shown. */
export async function answerElements(report, picture) {
  const pixels = await createImageBitmap(picture).catch(() => null);
  const shown = report.faces.map((face) => faceElement(face, report.references.length > 0, pixels));
  if (!shown.length) shown.push(element("p", "No face could be checked.", "note"));
  const failed = report.problems.filter((it) => !it.faces).map((it) => element("p", sentence(it.reason), "note"));
  const warned = report.warnings.map((it) => element("p", `Note: ${sentence(it)}`, "small"));
  return [...failed, ...shown, ...origin(report.provenance), ...warned, ...(report.faces.length ? limits(report) : [])];
}

/** The faces of a file as buttons, from the left; `choose` gets the number. */
export async function faceButtons(file, boxes, choose) {
  const pixels = await createImageBitmap(file).catch(() => null);
  return boxes.map((box, at) => {
    const label = `Face ${at + 1}`;
    const button = element("button", [...cropped(pixels, box, label), element("span", label)], "face");
    button.type = "button";
    button.addEventListener("click", () => choose(at + 1));
    return button;
  });
}

function faceElement(face, compared, pixels) {
  const verdict = element("span", face.verdict, `badge ${CLASSES[face.verdict] ?? "quiet"}`);
  const which = face.faces > 1 ? `face ${face.face} of ${face.faces}, from the left` : "";
  const head = element("header", [verdict, element("span", which, "small")]);
  const lines = element("div", [
    ...(compared ? [axis("same person", face.identity_probability, face.person)] : []),
    axis("forged", face.fake_probability, face.forged),
  ], "axes");
  const pictures = element("div", [...pictured(pixels, face), ...mapped(face.map)], "pictures");
  return element("article", [
    head, pictures, lines, explanation(face), ...face.notes.map((it) => element("p", sentence(it), "note")),
    evidence(face.evidence),
  ]);
}

function pictured(pixels, face) {
  const crop = cropped(pixels, face.box, "the face that was judged");
  return crop.length ? [element("figure", [...crop, element("figcaption", "the face that was judged")])] : [];
}

function mapped(map) {
  if (!map?.image.startsWith("data:image/")) return [];
  const image = document.createElement("img");
  image.src = map.image;
  image.alt = `${map.title}: ${map.text}`;
  const caption = element("figcaption", `${map.title}: ${map.text}`);
  caption.title = map.limits;
  return [element("figure", [image, caption])];
}

function cropped(pixels, box, label) {
  if (!pixels) return [];
  const [left, top, right, bottom] = box;
  const side = Math.min(Math.max(right - left, bottom - top) * 1.5, pixels.width, pixels.height);
  const from = (middle, length) => Math.min(Math.max(middle - side / 2, 0), length - side);
  const x = from((left + right) / 2, pixels.width);
  const y = from((top + bottom) / 2, pixels.height);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 192;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  canvas.getContext("2d").drawImage(pixels, x, y, side, side, 0, 0, 192, 192);
  return [canvas];
}

function axis(name, probability, words) {
  const meter = document.createElement("meter");
  meter.value = probability ?? 0;
  meter.hidden = probability === null;
  meter.setAttribute("aria-label", name);
  return element("div", [
    element("span", name), meter, element("b", percent(probability)), element("span", words, "small"),
  ], "axis");
}

function percent(probability) {
  if (probability === null) return "not measured";
  if (probability > 0.99) return "> 99 %";
  return probability < 0.01 ? "< 1 %" : `${Math.round(probability * 100)} %`;
}

function explanation(face) {
  const known = new Map(face.evidence.map((it) => [it.id, it]));
  const parts = face.explanation.split(/\[(E\d+)\]/).map((part, at) => {
    const item = at % 2 ? known.get(part) : null;
    if (!item) return part;
    const cited = element("abbr", item.id);
    cited.title = `${item.name}: ${measured(item)}`;
    return cited;
  });
  return element("p", parts, "explanation");
}

function evidence(items) {
  const listed = items.map((it) => element("li", [
    element("b", `${it.id} `), `${it.name}: ${measured(it)}`, element("div", it.limits, "small"),
  ]));
  return element("details", [element("summary", "Evidence, and what each item does not show"), element("ul", listed)]);
}

function measured({ value, unit, reads }) {
  if (value === null) return "not measured";
  return `${Number(value.toPrecision(3))}${unit ? ` ${unit}` : ""} (${reads})`;
}

function origin(provenance) {
  return (provenance?.files ?? []).map((file) => {
    const found = file.findings.map((it) => element("li", [it.text, element("div", it.cannot_mean, "small")]));
    return element("details", [
      element("summary", "What the file says about its origin"), element("p", file.summary),
      ...(found.length ? [element("ul", found)] : []), element("p", file.limits, "small"),
    ]);
  });
}

function limits(report) {
  const told = [
    "“No forgery found” does not mean that a picture is authentic.",
    "A verdict is a reason to look, not a proof. It does not say who made a picture, or why.",
    ...(report.references.length ? [] : ["Whom the picture shows was not asked: add photos of the person for that."]),
  ];
  return [element("h2", "What this cannot say"), element("ul", told.map((it) => element("li", it)), "limits")];
}

function sentence(text) {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
