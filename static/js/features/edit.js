// Editing and deleting one's own messages, and the mark of those that were edited.

import { composerModes, fieldsOfText } from "../composer/modes.js";
import { byId, make } from "../lib/dom.js";
import { fullTimeText } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { openConversation } from "../model/conversations.js";
import { operationKinds } from "../model/operations.js";
import { DANGER, isAlive, messageActions } from "../timeline/message_actions.js";
import { addBodyMark } from "../timeline/message_row.js";

operationKinds.edit = {
  overlay: "replace",
  frame: ({ text, target, fields }) => ({ type: "edit", id: target, text, ...fields }),
  apply: (message, { text, at }) => ({ ...message, text, spans: null, edited: new Date(at).toISOString() }),
};

operationKinds.delete = {
  overlay: "replace",
  frame: ({ target }) => ({ type: "delete", id: target }),
  apply: (message) => ({ ...message, deleted: true, text: "", spans: [], reactions: [], files: [] }),
};

/** What a message says with the user's own unconfirmed edits. */
export function textOf(state, id) {
  const edits = [...state.operations.values()].filter(({ kind, target }) => kind === "edit" && target === id);
  return edits.at(-1)?.text ?? state.messages.get(id)?.text ?? "";
}

const canEdit = (state, /** @type {Partial<import("../types.d.ts").Message>} */ { author, kind, deleted }) =>
  author === state.session.me && kind === "say" && !deleted;

/** The message that the user wrote last in the open conversation, if it can be edited. */
export function lastOwn(state) {
  const deleted = new Set([...state.operations.values()].map(({ kind, target }) => kind === "delete" && target));
  return openConversation(state).messages.findLast((one) => canEdit(state, one) && !deleted.has(one.id));
}

/** @param {import("../app.js").App} app */
export function install(app) {
  const { state, composer, outbox } = app;
  composerModes.edit = {
    keepsDraft: false,
    takesCommands: false,
    button: "edit.save",
    banner: () => t("edit.banner"),
    begin: (_, { id, text }) => text ?? textOf(state, id),
    submit(_, text, { id }) {
      if (text === textOf(state, id)) return;
      outbox.add("edit", { text, target: id, conversation: state.route.conversation, fields: fieldsOfText(text) });
    },
  };
  messageActions.unshift({
    id: "edit",
    group: 0,
    label: () => t("action.edit"),
    when: (row) => isAlive(row) && canEdit(state, row.message),
    run: ({ message }) => composer.enter({ type: "edit", id: message.id }),
  });
  messageActions.push({
    id: "versions",
    group: 2,
    label: () => t("action.versions"),
    when: (row) => isAlive(row) && Boolean(row.message.edited),
    run: ({ message }) => app.openDialog("versions", message.id),
  });
  addBodyMark(({ message: { edited } }) => (edited ? editedMark(edited) : null));
  messageActions.push({
    id: "delete",
    group: DANGER,
    label: () => t("action.delete"),
    when: (row) => isAlive(row) && row.isOwn,
    run: ({ message }) => app.openDialog("deleteMessage", message),
  });
  nameOlderNode(app);
  composer.keyHandlers.push((event) => {
    const isUp = event.key === "ArrowUp" && !event.shiftKey && !event.altKey && !event.ctrlKey && !event.metaKey;
    if (!isUp || event.isComposing || byId("field").value !== "" || state.ui.composerMode.type !== "compose")
      return false;
    const message = lastOwn(state);
    if (!message) return false;
    event.preventDefault();
    composer.enter({ type: "edit", id: message.id });
    return true;
  });
}

function editedMark(edited) {
  const mark = make("button", "message__edited button button--link", t("edit.mark"));
  Object.assign(mark, {
    type: "button",
    tabIndex: -1,
    title: t("edit.mark.title", { time: fullTimeText(Date.parse(edited)) }),
  });
  mark.dataset.act = "versions";
  return mark;
}

/**
 * A node of an earlier release does not know what this page asks for. That is said once; what was written comes back to
 * the field, or stays with its message until the user discards it.
 */
function nameOlderNode(app) {
  let isSaid = false;
  app.sayOlderNode = () => {
    if (isSaid) return app.announce(t("older.node"));
    isSaid = true;
    app.hint(t("older.node"));
  };
  app.events.on("refused", ({ operation: { ref, kind, target, text }, code }) => {
    if (code !== "unknown_type") return;
    app.sayOlderNode();
    const { composer, state } = app;
    const isFree = composer.text === "" && state.ui.composerMode.type === "compose";
    if (kind === "edit" && !isFree) return;
    app.outbox.discard(ref);
    if (kind === "edit") composer.enter({ type: "edit", id: target, text });
  });
}
