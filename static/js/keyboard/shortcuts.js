// The one listener of the document for keys. Parts of the page add what they do with them.

import { isDialogOpen } from "../lib/dom.js";

/** @typedef {import("../types.d.ts").Shortcut} Shortcut */

/** The name of a key with what is held down: "Control+Shift+F". */
export function keyName({ key, ctrlKey, metaKey, altKey, shiftKey }) {
  const name = key.length === 1 ? key.toUpperCase() : key;
  const shift = shiftKey && key !== "/" ? "Shift+" : ""; // many keyboards have the slash above a digit
  return `${ctrlKey || metaKey ? "Control+" : ""}${altKey ? "Alt+" : ""}${shift}${name}`;
}

export function createKeyboard() {
  const shortcuts = [];
  const observers = [];

  document.addEventListener("keydown", (event) => {
    for (const observe of observers) observe(event);
    if (event.defaultPrevented || event.isComposing || isDialogOpen()) return;
    const name = keyName(event);
    for (const { keys, when, run, prevents = true } of shortcuts) {
      if (!(keys ? keys.includes(name) : when(event)) || run(event) === false) continue;
      if (prevents) event.preventDefault();
      return;
    }
  });

  return {
    /** @param {Shortcut} shortcut */
    add(shortcut) {
      const order = shortcut.order ?? 0;
      const at = shortcuts.findIndex((other) => (other.order ?? 0) > order);
      shortcuts.splice(at < 0 ? shortcuts.length : at, 0, shortcut);
    },

    /** Tells of every key, also of those that something else took. */
    observe: (observer) => observers.push(observer),
  };
}
