// Replies: a message that names another, which is quoted above it and can be jumped to.

import { composerModes, fieldsOfText } from "../composer/modes.js";
import { make } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { nameText } from "../lib/member_name.js";
import { isShared } from "../model/members/name_index.js";
import { quotedText } from "../model/messages.js";
import { rowFields } from "../timeline/build_rows.js";
import { isAlive, messageActions } from "../timeline/message_actions.js";
import { setRowPart } from "../timeline/message_row.js";

const NOT_HERE = { name: null };
const quotes = new WeakMap(); // answered message -> quote, so that equal rows have the same one

/** What a message answers: null if nothing; without a name if that is not here. */
export function quoteOf({ reply_to: id, reply }, state) {
  if (!id) return null;
  const answered = state.messages.get(id);
  if (!answered) return reply ?? NOT_HERE;
  if (!quotes.has(answered)) {
    const { author, name, text, deleted = false } = answered;
    quotes.set(answered, { id, author, name, text: quotedText(text), deleted });
  }
  return quotes.get(answered);
}

/** @param {import("../app.js").App} app */
export function install(app) {
  const { state } = app;
  const wordsOf = ({ author, name, text, deleted }) => ({
    name: nameText(author, name, isShared(state, name)),
    text: deleted ? t("row.deleted") : text,
  });

  rowFields.quote = quoteOf;
  setRowPart("quote", {
    has: ({ quote }) => quote !== null,
    same: (a, b) => a.quote === b.quote,
    draw: (slot, { quote }) => slot.replaceChildren(quote.name === null ? missing() : quoteButton(wordsOf(quote))),
  });
  messageActions.push({
    id: "quoted",
    when: ({ quote }) => Boolean(quote?.id),
    run: ({ quote }) => app.jumps.to(state.route.conversation, quote.id),
  });
  messageActions.unshift({
    id: "reply",
    group: 0,
    icon: "↩\ufe0e",
    label: () => t("action.reply"),
    when: isAlive,
    run: ({ message }) => app.composer.enter({ type: "reply", id: message.id }),
  });
  composerModes.reply = {
    keepsDraft: true,
    takesCommands: false,
    banner: (_, { id }) => t("reply.banner", wordsOf(quoteOf({ reply_to: id, reply: null }, state))),
    submit: (_, text, { id }) => app.say(text, { fields: { reply_to: id, ...fieldsOfText(text) } }),
  };
}

const missing = () => make("div", "quote", t("reply.missing"));

function quoteButton(words) {
  const button = make("button", "quote");
  Object.assign(button, { type: "button", tabIndex: -1 });
  button.dataset.act = "quoted";
  button.setAttribute("aria-label", t("reply.to", words));
  button.append(make("bdi", "quote__name", words.name), make("bdi", "quote__text", words.text));
  return button;
}
