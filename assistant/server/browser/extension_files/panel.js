// The window of one picture: reads it, sends it, shows the answer. Nothing is kept.
import { answerElements, element, faceButtons } from "./answer.js";
import { readPressed, Unreadable } from "./picture.js";
import { api, check, handOver, loadSettings, Refusal } from "./unmask.js";

const byId = (id) => document.getElementById(id);
const state = { picture: null, references: [], faces: {}, running: null, windowId: undefined };

byId("file").addEventListener("change", ({ target }) => target.files.length && take(target.files[0]));
byId("references").addEventListener("change", ({ target }) => {
  // Names of our own: nothing depends on what the files are called here.
  state.references = [...target.files].map((it, at) => new File([it], `person-${at + 1}`, { type: it.type }));
  state.faces = {};
  if (state.picture) look();
});
byId("open").addEventListener("click", openInUnmask);
for (const it of document.querySelectorAll(".options"))
  it.addEventListener("click", () => api.runtime.openOptionsPage());
begin();

async function begin() {
  const pressed = await api.runtime.sendMessage({ ask: "pressed", window: location.hash.slice(1) });
  if (!pressed) return say([element("p", "Right-click a picture on a page, or choose a file here.")]);
  state.windowId = pressed.windowId;
  try {
    await take(await readPressed(pressed));
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    unreadable(error);
  }
}

async function take(picture) {
  Object.assign(state, { picture, faces: {} });
  byId("picture").src = URL.createObjectURL(picture);
  byId("picture").hidden = false;
  byId("name").textContent = picture.name;
  await look();
}

async function look() {
  state.running?.abort();
  const mine = (state.running = new AbortController());
  byId("open").hidden = true;
  const stop = waiting();
  try {
    const settings = await loadSettings();
    const report = await check(settings, state, mine.signal);
    const shown = [...(await questions(report)), ...(await answerElements(report, state.picture))];
    if (state.running !== mine) return;
    say(shown);
    byId("open").hidden = !report.faces.length;
  } catch (error) {
    if (state.running !== mine) return;
    refused(error);
  } finally {
    stop();
  }
}

function waiting() {
  const seconds = element("span", "0 s");
  say([element("p", ["Unmask is looking… ", seconds])]);
  const began = Date.now();
  const clock = setInterval(() => (seconds.textContent = `${Math.round((Date.now() - began) / 1000)} s`), 500);
  return () => clearInterval(clock);
}

// Photos of the person that show several people: each asks which of them is meant.
async function questions(report) {
  const asked = report.problems.filter((it) => it.faces);
  const told = await Promise.all(asked.map(async ({ path, faces }) => {
    const photo = state.references.find((it) => it.name === path);
    if (!photo) return [];
    const buttons = await faceButtons(photo, faces, (number) => {
      state.faces[path] = number;
      look();
    });
    return [element("p", "A photo of the person shows several faces. Press the one that is meant.", "note"),
      element("div", buttons, "faces")];
  }));
  return told.flat();
}

function refused(error) {
  if (!(error instanceof Refusal)) throw error;
  say([element("p", error.message, "note")]);
}

function unreadable(error) {
  const told = [element("p", error.message, "note")];
  if (error.source) {
    const button = element("button", "Open the picture in a tab of its own");
    button.addEventListener("click", () => api.tabs.create({ url: error.source, windowId: state.windowId }));
    told.push(element("p", "Open it in a tab of its own and right-click it there: then its file can be read."), button);
  }
  told.push(element("p", "Or save the picture, and choose the file below."));
  say(told);
}

async function openInUnmask() {
  try {
    const url = await handOver(await loadSettings(), state);
    await api.tabs.create({ url, windowId: state.windowId });
  } catch (error) {
    refused(error);
  }
}

function say(elements) {
  byId("answer").replaceChildren(...elements);
}
