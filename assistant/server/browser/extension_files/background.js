// The menu, and a window for each pressed picture. Nothing is read or sent here.
const api = globalThis.browser ?? globalThis.chrome;

// What was pressed, by the window that will ask for it, once. Not in the window's address: a picture
// that is written into its page (data:) can be megabytes long.
const pressed = new Map();

api.runtime.onInstalled.addListener(({ reason }) => {
  api.contextMenus.create({ id: "check", title: "Check with Unmask", contexts: ["image"] });
  if (reason === "install") api.runtime.openOptionsPage();
});

api.contextMenus.onClicked.addListener((info, tab) =>
  show(tab, { source: info.srcUrl, tabId: tab.id, frameId: info.frameId ?? 0, windowId: tab.windowId })
);

// The button in the toolbar: a window in which a file can be chosen.
api.action.onClicked.addListener((tab) => show(tab, null));

api.runtime.onMessage.addListener((message, sender, answer) => {
  if (sender.id !== api.runtime.id || message?.ask !== "pressed") return;
  answer(pressed.get(message.window) ?? null);
  pressed.delete(message.window);
});

async function show(tab, picture) {
  const id = crypto.randomUUID();
  if (picture) pressed.set(id, picture);
  const url = api.runtime.getURL(`panel.html#${id}`);
  if (!api.windows) return api.tabs.create({ url }); // Firefox on a phone
  const { left = 0, top = 0, width = 1200, height = 800 } = await api.windows.get(tab.windowId);
  const size = { width: 500, height: Math.max(560, Math.min(height, 900)) };
  // Beside the page: over its right edge.
  const place = { left: Math.max(0, left + width - size.width), top };
  const options = { url, type: "popup", ...size };
  return api.windows.create({ ...options, ...place }).catch(() => api.windows.create(options));
}
