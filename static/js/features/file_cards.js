// The files of a message: a card each, with what is here of it and what can be done.

import { drawCard, drawPicture, makeCard } from "../files/cards.js";
import { FILE_ACTIONS, runFileAction } from "../files/file_actions.js";
import { make } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { isAlive, messageActions } from "../timeline/message_actions.js";
import { setRowPart } from "../timeline/message_row.js";
import { conversationActions } from "../sidebar/conversation_actions.js";

const filesOf = (/** @type {any} */ { message: { deleted, files = [] } }) => (deleted ? [] : files);

/** @param {import("../app.js").App} app */
export function install(app) {
  const { state, views } = app;

  setRowPart("attachment", {
    has: (row) => filesOf(row).length > 0,
    same: (a, b) => a.message.files === b.message.files && a.isPending === b.isPending,
    draw: (slot, row) => {
      const list = make("ul", "files");
      list.setAttribute("role", "list");
      list.setAttribute("aria-label", t("files.of"));
      list.append(...filesOf(row).map((file) => makeCard(app, file, state.files.get(file.content) ?? file)));
      slot.replaceChildren(list);
    },
  });

  // Progress changes the cards that are shown, and builds no rows.
  views.add({
    topics: ["files"],
    draw: () => {
      for (const card of document.querySelectorAll(".file[data-content]")) {
        const file = state.files.get(card.dataset.content);
        if (!file) continue;
        drawCard(card, file);
        drawPicture(app, card, file);
      }
    },
  });

  for (const id of FILE_ACTIONS) {
    messageActions.push({
      id,
      when: isAlive,
      run: (_row, _app, part) => runFileAction(app, id, part.closest(".file")),
    });
  }

  conversationActions.push({
    id: "files",
    label: () => t("conversation.files"),
    when: () => true,
    run: (id) => app.openDialog("files", id),
  });
}
