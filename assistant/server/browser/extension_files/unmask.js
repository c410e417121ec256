// The REST API of the Unmask on this machine. No other address can be reached: the manifest's policy
// (connect-src) forbids it.
export const api = globalThis.browser ?? globalThis.chrome;

export const USUAL_ADDRESS = "http://127.0.0.1:7860";

export const LOCAL = {
  origins: ["http://127.0.0.1/*", "http://localhost/*", "https://127.0.0.1/*", "https://localhost/*"],
};

/** A sentence that says what to do. */
export class Refusal extends Error {}

export async function loadSettings() {
  const { address = USUAL_ADDRESS, token = "" } = await api.storage.local.get(["address", "token"]);
  return { address, token };
}

/** The settings as they are kept. Throws a Refusal for an address elsewhere, or no token. */
export function readSettings(address, token) {
  let url;
  try {
    url = new URL(address.trim());
  } catch {
    throw new Refusal(`Write the address as “unmask serve” prints it, for example ${USUAL_ADDRESS}.`);
  }
  if (!["http:", "https:"].includes(url.protocol) || !["127.0.0.1", "localhost"].includes(url.hostname))
    throw new Refusal(
      "Pictures are sent to this machine only: the address must begin with http://127.0.0.1 or http://localhost."
    );
  if (!/^unmask_[\w-]{20,100}$/.test(token.trim()))
    throw new Refusal("A token begins with “unmask_”: copy the whole of what “unmask extension” printed.");
  return { address: url.origin, token: token.trim() };
}

/** Whether the server answers and knows the token; throws a Refusal if not. */
export async function test(settings) {
  await call(settings, "/api/history/images?limit=1");
}

/** Check a picture; `references` are photos of the person, `faces` numbers of faces by file name. */
export async function check(settings, { picture, references, faces }, signal) {
  const body = form(picture, references, faces);
  body.append("maps", "true");
  return call(settings, "/api/v1/checks", { method: "POST", body, signal });
}

/** Hand the same to Unmask's page; returns the page's address, which shows them once. */
export async function handOver(settings, { picture, references, faces }) {
  const body = form(picture, references, faces);
  const { path } = await call(settings, "/api/v1/handoffs", { method: "POST", body });
  return settings.address + path;
}

function form(picture, references, faces) {
  const body = new FormData();
  body.append("photos", picture, picture.name);
  for (const it of references) body.append("references", it, it.name);
  if (Object.keys(faces).length) body.append("faces", JSON.stringify(faces));
  return body;
}

async function call(settings, path, options = {}) {
  if (!settings.token) throw new Refusal("There is no token yet: put one into the options.");
  let answer;
  try {
    answer = await fetch(settings.address + path, {
      ...options,
      headers: { Authorization: `Bearer ${settings.token}` },
      credentials: "omit", redirect: "error", cache: "no-store",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(
      (await api.permissions.contains(LOCAL))
        ? `Unmask does not answer at ${settings.address}: start it with “unmask serve”, or correct the address in the options.`
        : "The browser does not let this extension reach Unmask: press “Save and test” in the options, and allow it."
    );
  }
  const told = await answer.json().catch(() => null);
  if (told === null)
    throw new Refusal(`Something other than Unmask answers at ${settings.address}: correct the address in the options.`);
  if (answer.ok) return told;
  const detail = typeof told.detail === "string" ? told.detail : `it answered ${answer.status}`;
  throw new Refusal(
    answer.status === 401
      ? `Unmask refused the token: ${detail}. Put another into the options.`
      : `${detail.charAt(0).toUpperCase()}${detail.slice(1)}.`
  );
}
