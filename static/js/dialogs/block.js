// Asks before a member is blocked.

import { t } from "../lib/i18n.js";
import { openDialog } from "./dialog.js";

/** Returns whether the user really wants to block the member of this name. */
export function open(_, name) {
  return new Promise((resolve) => {
    const dialog = openDialog("t-block", (element) => {
      element.querySelector("h2").textContent = t("block.title", { name });
      element.querySelector(".dialog__confirm").addEventListener("click", () => element.close("block"));
    });
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "block"));
  });
}
