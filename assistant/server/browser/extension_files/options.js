import { api, loadSettings, LOCAL, readSettings, Refusal, test } from "./unmask.js";

const field = (id) => document.getElementById(id);
const { address, token } = await loadSettings();
field("address").value = address;
field("token").value = token;

field("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  tell("Asking Unmask…");
  try {
    const settings = readSettings(field("address").value, field("token").value);
    // Firefox lets a person take this away; it can be asked for only while a press is being handled.
    await api.permissions.request(LOCAL);
    // Scripts that run in pages must not see the token, where the browser can prevent it.
    await api.storage.local.setAccessLevel?.({ accessLevel: "TRUSTED_CONTEXTS" });
    await api.storage.local.set(settings);
    field("address").value = settings.address;
    await test(settings);
    tell("Unmask answers, and the token is right. Right-click a picture to check it.", "good");
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    tell(error.message, "note");
  }
});

function tell(text, className = "") {
  field("result").textContent = text;
  field("result").className = className;
}
