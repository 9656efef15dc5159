// Which pane shows where there is no room for all three: the members as an overlay below 1024 px, and one
// pane at a time below 768 px.

import { byId } from "../lib/dom.js";
import { focusMembers } from "./member_list.js";

const one = matchMedia("(max-width: 47.99rem)");
const overlay = matchMedia("(max-width: 63.99rem)");

export function install(app) {
  app.layout = createLayout();
}

function createLayout() {
  const body = document.body;
  let isOpen = false; // the members lie over the rest
  const button = byId("show-members");
  let before = null; // what had the focus

  function settle() {
    if (isOpen) body.dataset.members = "open";
    else delete body.dataset.members;
    button.setAttribute("aria-expanded", String(isOpen));
    // On one pane the members cover everything else, so nothing else can have the focus.
    byId("main").inert = isOpen && one.matches;
    byId("conversations").inert = isOpen && one.matches;
  }

  function openMembers() {
    if (overlay.matches) {
      before = document.activeElement;
      isOpen = true;
      settle();
    }
    focusMembers();
  }

  /** Returns whether they were open. */
  function closeMembers() {
    if (!isOpen) return false;
    isOpen = false;
    settle();
    (before?.isConnected ? before : button).focus();
    return true;
  }

  button.addEventListener("click", () => closeMembers() || openMembers());
  byId("hide-members").addEventListener("click", closeMembers);
  byId("main").addEventListener("pointerdown", (event) => {
    if (!button.contains(event.target)) closeMembers();
  });
  byId("back").addEventListener("click", () => {
    body.dataset.pane = "list";
    byId("conversation-list").querySelector('[aria-current="page"]')?.focus();
  });
  one.addEventListener("change", settle);
  overlay.addEventListener("change", () => {
    isOpen = false;
    settle();
  });
  return { openMembers, closeMembers };
}
