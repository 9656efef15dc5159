// What can be done with one message: buttons at the end of the row that is pointed at or has the focus, and the menu that
// one of them opens, with the full time. Below the first of a group the time waits for this too.

import { byId, clone, make } from "../lib/dom.js";
import { fullTimeText, gutterTimeText } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { createMenu, menuItem } from "../lib/menu.js";
import { DANGER, menuOf, runMessageAction } from "./message_actions.js";

export function install(app) {
  const { timeline } = app;
  const list = byId("list");
  const tools = clone("t-message-toolbar");
  const button = tools.querySelector(".message__open-menu");
  const quick = tools.querySelector(".message__quick");
  const menu = createMenu({
    label: t("row.actions"),
    closed(hadFocus) {
      button.setAttribute("aria-expanded", "false");
      if (hadFocus) tools.closest(".row")?.focus({ preventScroll: true });
    },
  });
  button.setAttribute("aria-label", t("row.actions"));

  function put(element) {
    const row = timeline.rowOf(element?.dataset.key);
    // A message that was on its way can do more once it is there.
    const isSame = tools.parentElement === element && tools.dataset.id === row?.message?.id;
    if (menu.isOpen || isSame) return;
    if (row?.type !== "message") return tools.remove();
    const time = tools.firstElementChild;
    time.textContent = gutterTimeText(row.message.at);
    time.title = fullTimeText(row.message.at);
    quick.replaceChildren(...menuOf(row, app).flatMap((action) => (action.icon ? [quickButton(action, row)] : [])));
    tools.dataset.id = row.message.id ?? "";
    element.append(tools);
    // Beside it stands how far one's own message got.
    element.style.setProperty("--toolbar", `${tools.lastElementChild.offsetWidth}px`);
  }

  /** @param {import("./message_actions.js").MessageAction} action */
  function quickButton({ id, icon, label }, row) {
    const item = make("button", "button button--ghost", icon);
    Object.assign(item, { type: "button", tabIndex: -1, title: label(row) });
    item.setAttribute("aria-label", label(row));
    item.dataset.act = id;
    return item;
  }

  /** @param {import("./message_actions.js").MessageAction} action */
  function itemOf({ id, label, group }, row) {
    // The row may have changed since the menu was opened.
    const item = menuItem(label(row), () => runMessageAction(id, timeline.rowOf(row.key) ?? row, app));
    item.classList.toggle("menu__item--danger", group === DANGER);
    return item;
  }

  app.showMessageMenu = (element) => {
    put(element);
    const row = timeline.rowOf(element.dataset.key);
    if (tools.parentElement !== element) return;
    const time = make("div", "menu__time meta", fullTimeText(row.message.at));
    time.setAttribute("aria-hidden", "true"); // the row says it
    const actions = menuOf(row, app);
    const entries = actions.flatMap((action, i) =>
      i > 0 && action.group === actions[i - 1].group
        ? [itemOf(action, row)]
        : [make("hr", "menu__line"), itemOf(action, row)],
    );
    menu.show([time, ...entries], button);
    button.setAttribute("aria-expanded", "true");
  };

  button.addEventListener("click", () => app.showMessageMenu(tools.closest(".row")));
  list.addEventListener("pointerover", (event) => put(event.target.closest(".row")));
  list.addEventListener("focusin", (event) => put(event.target.closest(".row")));
  list.addEventListener("pointerleave", () => put(document.activeElement.closest(".row")));
}
