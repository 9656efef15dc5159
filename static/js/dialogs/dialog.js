// Dialogs: native ones, so that focus is kept in, goes back, and Escape closes.

import { clone } from "../lib/dom.js";

/** Opens a dialog from its template; `dialog.returnValue` says how it was closed. */
export function openDialog(id, prepare) {
  const dialog = clone(id);
  const before = document.activeElement;
  prepare?.(dialog);
  dialog.querySelector(".dialog__close")?.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // outside of it: only the backdrop is the dialog itself
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    // This event comes a moment after the dialog closed: a focus that has moved on since stays.
    const wentOn = ![before, document.body].includes(document.activeElement);
    if (before?.isConnected && !wentOn) giveBack(before);
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Chromium gives the focus back by itself, but not always the caret: what is typed then goes nowhere. */
function giveBack(element) {
  element.blur();
  element.focus({ preventScroll: true });
}
