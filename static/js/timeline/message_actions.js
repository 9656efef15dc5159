// What can be done with a row: a registry that feeds the menu of a message, the keyboard and the buttons in a row. A
// feature adds its own: `messageActions.push({ id: "reply", label: () => t("action.copy"), when, run })`.

import { copyText } from "../lib/clipboard.js";
import { t } from "../lib/i18n.js";
import { nameText } from "../lib/member_name.js";
import { addressOf } from "../model/routes.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {any} Row a row of the timeline, of whatever type
 * @typedef {import("../types.d.ts").MessageAction} MessageAction
 */

/** The last group of a menu: what cannot be taken back. */
export const DANGER = 3;

const isStored = (row) => row.type === "message" && !row.isPending;
/** Whether a row is a message that the node has, and that was not deleted. */
export const isAlive = (row) => isStored(row) && !row.message.deleted;
const isFailed = (row) => row.type === "message" && row.code === "failed";

/** @type {MessageAction[]} */
export const messageActions = [
  {
    id: "unfold",
    when: ({ type }) => type === "message" || type === "fold",
    run: (row, app) => app.toggleUnfolded(row.key),
  },
  {
    id: "retry",
    label: () => t("row.retry"),
    when: isFailed,
    run: (row, app) => app.outbox.retry(row.ref),
  },
  {
    id: "discard",
    group: DANGER,
    label: () => t("row.delete"),
    when: isFailed,
    run(row, app) {
      app.outbox.discard(row.ref);
      app.composer.focus();
    },
  },
  {
    id: "copy",
    label: () => t("action.copy"),
    when: ({ type, message }) => type === "message" && !message.deleted,
    run: ({ message }, app) => copy(message.text, app),
  },
  {
    id: "link",
    label: () => t("action.link"),
    when: isStored,
    run({ message }, app) {
      const address = addressOf(app.state.route.conversation, message.id);
      return copy(new URL(address, location.href).href, app);
    },
  },
  {
    id: "profile",
    group: 2,
    label: ({ message, isShared }) => t("profile.show", { name: nameText(message.author, message.name, isShared) }),
    when: isStored,
    run: ({ message }, app) => app.openDialog("profile", message.author),
  },
  {
    id: "receipts",
    group: 2,
    label: () => t("action.holders"),
    when: (row) => isStored(row) && row.isOwn,
    run: ({ message }, app) => app.openDialog("receipts", message.id),
  },
];

/** Does something with a row. An action that is not known is a mistake of the page, and never another action. */
export function runMessageAction(id, row, app, part) {
  const action = messageActions.find((one) => one.id === id);
  if (!action) throw new Error(`no action with a message is called ${id}`);
  if (action.when(row, app)) return action.run(row, app, part);
}

/** What the menu of a row offers, group by group. */
export const menuOf = (row, app) =>
  messageActions
    .filter((action) => action.label && action.when(row, app))
    .sort((one, other) => (one.group ?? 1) - (other.group ?? 1));

async function copy(text, app) {
  if (await copyText(text)) app.toast(t("copied"));
  else app.hint(t("copy.refused"));
}
