// Which pane shows where there is no room for all three: the members as an overlay below 1024 px, and one
// pane at a time below 768 px.

import { byId } from "../lib/dom.js";
import { filterMembers, focusMembers, moveAmongMembers } from "./sides.js";

const one = matchMedia("(max-width: 47.99rem)");
const overlay = matchMedia("(max-width: 63.99rem)");

export function startPanes() {
  const body = document.body;
  const button = byId("show-members");
  let before = null; // what had the focus

  function settle() {
    const open = body.dataset.members === "open" && overlay.matches;
    button.setAttribute("aria-expanded", String(open));
    // On one pane the members cover everything else, so nothing else can have the focus.
    byId("main").inert = open && one.matches;
    byId("conversations").inert = open && one.matches;
  }

  function openMembers() {
    if (overlay.matches) {
      before = document.activeElement;
      body.dataset.members = "open";
      settle();
    }
    focusMembers();
  }

  /** Answers whether they were open. */
  function closeMembers() {
    if (body.dataset.members !== "open") return false;
    delete body.dataset.members;
    settle();
    (before?.isConnected ? before : button).focus();
    return true;
  }

  button.addEventListener("click", () => closeMembers() || openMembers());
  byId("hide-members").addEventListener("click", closeMembers);
  byId("member-list").addEventListener("keydown", moveAmongMembers);
  byId("member-filter").addEventListener("input", filterMembers);
  byId("main").addEventListener("pointerdown", (event) => {
    if (!button.contains(event.target)) closeMembers();
  });
  byId("back").addEventListener("click", () => {
    body.dataset.pane = "list";
    byId("conversation-list").querySelector('[aria-current="page"]')?.focus();
  });
  one.addEventListener("change", settle);
  overlay.addEventListener("change", () => {
    delete body.dataset.members;
    settle();
  });
  return { openMembers, closeMembers };
}
