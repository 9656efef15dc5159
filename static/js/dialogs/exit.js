// Asks before the node is stopped.

import { openDialog } from "./dialog.js";

/** Returns whether the user really wants to leave. Everything but the one button means no. */
export function open() {
  return new Promise((resolve) => {
    const dialog = openDialog("t-exit", (element) => {
      element.querySelector(".dialog__cancel").addEventListener("click", () => element.close());
      element.querySelector(".dialog__confirm").addEventListener("click", () => element.close("exit"));
    });
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "exit"));
  });
}
