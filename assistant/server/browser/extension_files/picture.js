// The bytes of a pressed picture, read in its own page: with the access that the press gave to that
// page and to nothing else (activeTab). The file itself is read, never what the screen shows of it,
// because every change of size weakens the measurements.
import { api, Refusal } from "./unmask.js";

const MOST_BYTES = 40 * 1024 * 1024; // what an answer of a page can carry, and less than the server reads

/** The page may not read this picture; `source` can be opened in a tab of its own, if not empty. */
export class Unreadable extends Refusal {
  constructor(message, source = "") {
    super(message);
    this.source = /^https?:/.test(source) ? source : "";
  }
}

/** The picture as a File. Throws Unreadable. */
export async function readPressed({ source, tabId, frameId }) {
  const data = source.startsWith("data:") ? source : await readInPage(source, tabId, frameId);
  return fileOf(data, nameOf(source));
}

async function readInPage(source, tabId, frameId) {
  let read;
  try {
    const [answer] = await api.scripting.executeScript({
      target: { tabId, frameIds: [frameId] }, func: fetchPicture, args: [source, MOST_BYTES],
    });
    read = answer.result;
  } catch {
    throw new Unreadable("The browser does not let extensions read this page, or the page was closed.", source);
  }
  if (read?.data) return read.data;
  if (read?.size)
    throw new Unreadable(`This picture is too large: ${Math.round(read.size / 1048576)} MB; at most 40 MB are sent.`);
  if (read?.status)
    throw new Unreadable(`The picture cannot be fetched again: its site answered ${read.status}.`, source);
  throw new Unreadable("This picture lies on another site, which does not let the page read it.", source);
}

// Runs in the page, beside its own scripts but out of their reach.
async function fetchPicture(source, mostBytes) {
  for (const cache of ["force-cache", "no-cache"]) { // the copy that is shown, if it may be read
    try {
      const answer = await fetch(source, { cache });
      if (!answer.ok) return { status: answer.status };
      const blob = await answer.blob();
      if (blob.size > mostBytes) return { size: blob.size };
      const data = await new Promise((resolve, reject) => {
        const reader = new FileReader();
        reader.onload = () => resolve(reader.result);
        reader.onerror = () => reject(reader.error);
        reader.readAsDataURL(blob);
      });
      return { data };
    } catch {
      // Closed to this page, or cached without the other site's permission: ask once more.
    }
  }
  return {};
}

function fileOf(data, name) {
  const comma = data.indexOf(",");
  const head = data.slice(5, comma);
  const type = head.split(";")[0];
  let text;
  try {
    text = head.endsWith(";base64") ? atob(data.slice(comma + 1)) : decodeURIComponent(data.slice(comma + 1));
  } catch {
    throw new Unreadable("This picture's page writes it in a way that cannot be read.");
  }
  const bytes = head.endsWith(";base64")
    ? Uint8Array.from(text, (letter) => letter.charCodeAt(0)) : new TextEncoder().encode(text);
  return new File([bytes], name, { type });
}

function nameOf(source) {
  let name = "";
  try {
    if (/^https?:/.test(source)) name = decodeURIComponent(new URL(source).pathname.split("/").pop());
  } catch {
    // A name that is written wrongly is no name.
  }
  return name.replace(/[^\p{L}\p{N}._ -]/gu, "_").slice(-80) || "picture";
}
