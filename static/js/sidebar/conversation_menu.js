// The menu of a conversation: by the right mouse button, a long touch, the menu key or the arrow to the right, or the
// button at the end of its row.

import { byId } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { createMenu, menuItem } from "../lib/menu.js";
import { conversationMenuOf } from "./conversation_actions.js";

/** @param {import("../app.js").App} app */
export function install(app) {
  const list = byId("conversation-list");
  const menu = createMenu({
    label: t("conversation.actions"),
    closed: (hadFocus) => hadFocus && linkOf(opened)?.focus(),
  });
  let opened = "";
  const linkOf = (id) => list.querySelector(`.conversation[data-key="${CSS.escape(id)}"]`);

  function open(element) {
    const link = element.closest("li")?.querySelector(".conversation");
    if (!link) return;
    const id = link.dataset.key;
    opened = id;
    const entries = conversationMenuOf(id, app).map(({ label, run }) => menuItem(label(id, app), () => run(id, app)));
    menu.show(entries, link);
  }

  list.addEventListener("contextmenu", (event) => {
    if (event.shiftKey || !event.target.closest("li")) return;
    event.preventDefault();
    open(event.target);
  });
  list.addEventListener("click", ({ target }) => {
    if (target.closest(".conversation__menu")) open(target);
  });
  list.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowRight" || !event.target.matches(".conversation")) return;
    event.preventDefault();
    open(event.target);
  });
  app.keyboard.add({
    keys: ["Shift+Escape"],
    run() {
      app.markRead([...app.state.conversations.keys()]);
      app.announce(t("conversation.allRead"));
    },
  });
}
