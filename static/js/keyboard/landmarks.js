// From landmark to landmark, from conversation to conversation, and the dialogs that have a key.

import { byId } from "../lib/dom.js";
import { conversationBeside } from "../sidebar/conversation_list.js";

/** @type {Record<string, Parameters<import("../app.js").App["openDialog"]>[0]>} */
const DIALOG_KEYS = { "Control+K": "switcher", "Control+Shift+F": "search", "Control+/": "help" };

/** @param {import("../app.js").App} app */
export function install(app) {
  const { state, keyboard } = app;
  for (const [key, dialog] of Object.entries(DIALOG_KEYS)) {
    keyboard.add({ keys: [key], run: () => void app.openDialog(dialog) });
  }
  keyboard.add({ keys: ["Control+F6"], run: () => nextLandmark(1) });
  keyboard.add({ keys: ["Control+Shift+F6"], run: () => nextLandmark(-1) });
  const beside = (step, unreadOnly) => () => {
    const next = conversationBeside(state, app.isBeingRead, step, unreadOnly);
    if (next !== null) app.router.go(next);
  };
  keyboard.add({ keys: ["Alt+ArrowUp"], run: beside(-1, false) });
  keyboard.add({ keys: ["Alt+ArrowDown"], run: beside(1, false) });
  keyboard.add({ keys: ["Alt+Shift+ArrowUp"], run: beside(-1, true) });
  keyboard.add({ keys: ["Alt+Shift+ArrowDown"], run: beside(1, true) });
  // With nothing open that it could close, Escape leads to the newest message.
  keyboard.add({ keys: ["Escape"], order: 8, prevents: false, run: () => app.layout.closeMembers() || app.toNewest() });
  document.querySelector(".skip-link").addEventListener("click", (event) => {
    event.preventDefault(); // the fragment of the address names the conversation
    byId("messages").focus();
  });
}

/** The four landmarks of the page in turn, as browsers do with their parts. */
function nextLandmark(step) {
  const landmarks = [
    [byId("conversations"), '[aria-current="page"]'],
    [byId("messages"), null],
    [byId("field"), null],
    [byId("members"), '.member[tabindex="0"]'],
  ].filter(([landmark]) => landmark.checkVisibility());
  const focused = landmarks.findIndex(([landmark]) => landmark.contains(document.activeElement));
  const at = focused < 0 && step < 0 ? 0 : focused; // from nowhere: to the first or to the last
  const [landmark, inside] = landmarks[(at + step + landmarks.length) % landmarks.length];
  (inside ? landmark.querySelector(inside) : landmark)?.focus();
}
