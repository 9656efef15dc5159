// What can be done with one message: a button at the end of the row that is pointed at or has the focus, with the
// full time beside it, and the menu that it opens. Below the first of a group the time waits for this too.

import { byId, clone, make, nameText } from "../lib/dom.js";
import { fullTimeText, gutterTimeText, t } from "../lib/texts.js";
import { addressOf } from "../state.js";

const GAP_PX = 4;

/** `open` are the dialogs: `{ profile(id), holders(id) }`. Answers how the menu of a row is opened. */
export function startActions({ timeline, room, current, open }) {
  const list = byId("list");
  const tools = clone("t-tools");
  const button = tools.querySelector("button");
  const menu = clone("t-menu");
  button.setAttribute("aria-label", t("row.actions"));
  menu.setAttribute("aria-label", t("row.actions"));
  document.body.append(menu);
  const isOpen = () => menu.matches(":popover-open");

  function put(element) {
    if (isOpen() || tools.parentElement === element) return;
    const row = timeline.rowOf(element?.dataset.key);
    if (row?.type !== "message") return tools.remove();
    tools.firstElementChild.textContent = gutterTimeText(row.at);
    tools.querySelector(".meta").textContent = fullTimeText(row.at);
    element.append(tools);
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      room.announce(t("copied"));
    } catch {
      room.hint(t("copy.refused"));
    }
  }

  function actionsOf({ id, arrival, author, name, shared, own, text }) {
    const actions = [["action.copy", () => copy(text)]];
    if (arrival === Infinity) return actions; // still on its way to the node
    const address = () => new URL(addressOf(current(), id), location.href).href;
    actions.push(["action.link", () => copy(address())]);
    if (own) actions.push(["action.holders", () => open.holders(id)]);
    else actions.push(["profile.show", () => open.profile(author), { name: nameText(author, name, shared) }]);
    return actions;
  }

  function itemOf([key, act, values]) {
    const item = make("button", "option", t(key, values));
    item.type = "button";
    item.tabIndex = -1;
    item.setAttribute("role", "menuitem");
    item.addEventListener("click", () => {
      menu.hidePopover();
      act();
    });
    return item;
  }

  function show(element) {
    put(element);
    const row = timeline.rowOf(element.dataset.key);
    if (tools.parentElement !== element) return;
    menu.replaceChildren(...actionsOf(row).map(itemOf));
    menu.showPopover();
    button.setAttribute("aria-expanded", "true");
    const at = button.getBoundingClientRect();
    const { width, height } = menu.getBoundingClientRect();
    const below = at.bottom + GAP_PX;
    const top = below + height > innerHeight ? Math.max(GAP_PX, at.top - GAP_PX - height) : below;
    const left = Math.min(Math.max(GAP_PX, at.right - width), innerWidth - width - GAP_PX);
    menu.style.setProperty("top", `${top}px`);
    menu.style.setProperty("left", `${left}px`);
    menu.firstElementChild.focus();
  }

  menu.addEventListener("beforetoggle", ({ newState }) => {
    if (newState === "open") return;
    button.setAttribute("aria-expanded", "false");
    if (menu.contains(document.activeElement)) tools.closest(".row")?.focus({ preventScroll: true });
  });
  menu.addEventListener("keydown", (event) => {
    const items = [...menu.children];
    const at = items.indexOf(document.activeElement);
    const goal = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: -1 }[event.key];
    if (goal !== undefined) items.at(goal % items.length).focus();
    else if (event.key === "Escape" || event.key === "Tab") menu.hidePopover();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  button.addEventListener("click", () => show(tools.closest(".row")));
  list.addEventListener("pointerover", (event) => put(event.target.closest(".row")));
  list.addEventListener("focusin", (event) => put(event.target.closest(".row")));
  list.addEventListener("pointerleave", () => put(document.activeElement.closest(".row")));
  return show;
}
