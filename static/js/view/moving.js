// How one moves about: from conversation to conversation and from part to part, over the top to the messages, and
// out again; and the dialogs that keys and buttons open. What is in those is loaded when it is asked for.

import { byId, isDialogOpen } from "../lib/dom.js";
import { stepFrom } from "./sides.js";

/** `go(key)` opens a conversation, `toNewest()` is what Escape means when nothing is open. Answers the dialogs. */
export function startMoving(page) {
  const { state, panes, room, current, go, toNewest } = page;
  const open = {
    switcher: () => import("./switcher.js").then(({ showSwitcher }) => showSwitcher(page)),
    search: () => import("./search.js").then(({ showSearch }) => showSearch(page)),
    profile: (id) => import("./profile.js").then(({ showProfile }) => showProfile(page, id)),
    holders: (id) => import("./holders.js").then(({ showHolders }) => showHolders(page, id)),
    help: () => room.showHelp(),
  };
  const keys = { "Control+k": "switcher", "Control+K": "switcher", "Control+Shift+F": "search", "Control+/": "help" };
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.altKey || isDialogOpen()) return;
    const shift = event.shiftKey && event.key !== "/" ? "Shift+" : ""; // many keyboards have the slash above a digit
    const key = `${event.ctrlKey || event.metaKey ? "Control+" : ""}${shift}${event.key}`;
    if (event.key === "F6" && event.ctrlKey) {
      event.preventDefault();
      return nextPart(event.shiftKey ? -1 : 1);
    }
    if (!keys[key]) return;
    event.preventDefault();
    open[keys[key]]();
  });
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || isDialogOpen()) return;
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
  byId("member-list").addEventListener("click", (event) => {
    const id = event.target.closest(".member")?.dataset.key;
    if (!id) return;
    panes.closeMembers();
    open.profile(id);
  });
  byId("help").addEventListener("click", open.help);
  byId("show-switcher").addEventListener("click", open.switcher);
  byId("show-search").addEventListener("click", open.search);
  byId("show-profile").addEventListener("click", () => open.profile(current().slice(2)));
  return open;
}

/** The four parts of the page in turn, as browsers do with theirs. */
function nextPart(step) {
  const parts = [
    [byId("conversations"), '[aria-current="page"]'], [byId("messages"), null], [byId("field"), null],
    [byId("members"), '.member[tabindex="0"]'],
  ].filter(([part]) => part.checkVisibility());
  const focused = parts.findIndex(([part]) => part.contains(document.activeElement));
  const at = focused < 0 && step < 0 ? 0 : focused; // from nowhere: to the first or to the last
  const [part, inside] = parts[(at + step + parts.length) % parts.length];
  (inside ? part.querySelector(inside) : part)?.focus();
}
