// A menu over the page: beside what opened it, or from below where the style sheet says so.

import { clone, make } from "./dom.js";
import { moveFocus } from "./roving_focus.js";

const GAP_PX = 4;

/** An entry of a menu. `run` is called after the menu has closed. */
export function menuItem(label, run) {
  const item = make("button", "option menu__item", label);
  item.type = "button";
  item.tabIndex = -1;
  item.setAttribute("role", "menuitem");
  item.addEventListener("click", () => {
    item.closest("[popover]").hidePopover();
    run();
  });
  return item;
}

/** `closed(hadFocus)` is told when it closes. */
export function createMenu({ label, closed }) {
  const menu = clone("t-menu");
  menu.setAttribute("aria-label", label);
  document.body.append(menu);

  menu.addEventListener("beforetoggle", ({ newState }) => {
    if (newState !== "open") closed(menu.contains(document.activeElement));
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape" || event.key === "Tab") {
      menu.hidePopover();
      event.preventDefault();
    } else if (!moveFocus(event, [...menu.querySelectorAll("[role=menuitem]")], { wraps: true })) {
      return;
    }
    event.stopPropagation();
  });

  return {
    get isOpen() {
      return menu.matches(":popover-open");
    },

    /** Opens it below an element, or above where there is no room, with the focus on the first entry. */
    show(entries, anchor) {
      menu.replaceChildren(...entries);
      menu.showPopover();
      const at = anchor.getBoundingClientRect();
      const { width, height } = menu.getBoundingClientRect();
      const below = at.bottom + GAP_PX;
      const top = below + height > innerHeight ? Math.max(GAP_PX, at.top - GAP_PX - height) : below;
      const left = Math.min(Math.max(GAP_PX, at.right - width), innerWidth - width - GAP_PX);
      menu.style.setProperty("top", `${top}px`);
      menu.style.setProperty("left", `${left}px`);
      menu.querySelector("[role=menuitem]").focus();
    },
  };
}
