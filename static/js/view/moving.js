// How one moves about: from conversation to conversation, over the top to the messages, and out again.

import { byId } from "../lib/dom.js";
import { showHelp } from "./dialogs.js";
import { stepFrom } from "./sides.js";

/** `go(key)` opens a conversation, `toNewest()` is what Escape means when nothing is open. */
export function startMoving({ state, panes, current, go, toNewest }) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape" && !panes.closeMembers()) toNewest();
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || !event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const next = stepFrom(state, current(), step, event.shiftKey);
    if (next) go(next);
  });
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the fragment of the address names the conversation
    byId("messages").focus();
  });
  byId("conversation-list").addEventListener("click", (event) => {
    const link = event.target.closest(".conversation");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(link.dataset.key);
    byId("field").focus();
  });
  byId("help").addEventListener("click", showHelp);
}
