// Reactions: a bar below the message with the emoji and how many chose each. One click joins or leaves.

import { make } from "../lib/dom.js";
import { keepRecent } from "./emoji_names.js";
import { listText } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { nameText } from "../lib/member_name.js";
import { isShared } from "../model/members/name_index.js";
import { operationKinds } from "../model/operations.js";
import { isAlive, messageActions } from "../timeline/message_actions.js";
import { setRowPart } from "../timeline/message_row.js";

const NAMES_MAX = 20;

/** The reactions once a member has chosen an emoji, or taken it back. Pure. */
export function withReaction(reactions, { emoji, off, me }) {
  const known = reactions.some((one) => one.emoji === emoji) ? reactions : [...reactions, { emoji, by: [] }];
  const changed = known.map((one) => {
    if (one.emoji !== emoji) return one;
    const others = one.by.filter((id) => id !== me);
    return { emoji, by: off ? others : [...others, me] };
  });
  return changed.filter(({ by }) => by.length > 0);
}

operationKinds.react = {
  overlay: "merge",
  frame: ({ target, fields: { emoji, off } }) => ({ type: "react", id: target, emoji, ...(off ? { off } : {}) }),
  apply: (message, { fields: { emoji, off } }, me) => ({
    ...message,
    reactions: withReaction(message.reactions ?? [], { emoji: String(emoji), off, me }),
  }),
};

const reactionsOf = (/** @type {any} */ { message: { deleted, reactions = [] } }) => (deleted ? [] : reactions);

/** "Ana, Ben and you" */
export function namesOf(state, by) {
  const others = by.filter((id) => id !== state.session.me);
  const names = others.slice(0, NAMES_MAX).map((id) => {
    const { name = "" } = state.members.get(id) ?? {};
    return nameText(id, name, isShared(state, name));
  });
  if (others.length > NAMES_MAX) names.push(t("fold.others", { n: others.length - NAMES_MAX }));
  if (others.length < by.length) names.push(t("reactions.you"));
  return listText(names);
}

/** @param {import("../app.js").App} app */
export function install(app) {
  const { state, outbox } = app;

  function toggle({ message }, emoji, { onlyJoins = false } = {}) {
    const { me } = state.session;
    const isOn = message.reactions?.some((one) => one.emoji === emoji && one.by.includes(me));
    if (isOn && onlyJoins) return;
    if (!isOn) keepRecent(emoji);
    const { conversation } = state.route;
    outbox.add("react", { target: message.id, conversation, fields: { emoji, off: Boolean(isOn) } });
  }

  setRowPart("reactions", {
    has: (row) => reactionsOf(row).length > 0,
    same: (a, b) => JSON.stringify(a.message.reactions) === JSON.stringify(b.message.reactions),
    draw: (slot, row) => drawBar(slot, reactionsOf(row), state),
  });
  messageActions.unshift({
    id: "react",
    group: 0,
    icon: "☺\ufe0e",
    label: () => t("action.react"),
    when: isAlive,
    run: (row) => app.openDialog("emoji", (emoji) => toggle(row, emoji, { onlyJoins: true })),
  });
  messageActions.push(
    {
      id: "toggleReaction",
      when: isAlive,
      run: (row, _, part) => toggle(row, part.dataset.emoji),
    },
    {
      id: "reactions",
      group: 2,
      label: () => t("action.reactions"),
      when: (row) => isAlive(row) && reactionsOf(row).length > 0,
      run: (row) => app.openDialog("reactions", reactionsOf(row)),
    },
  );
}

/** Buttons stay the same elements while they count on, so that they keep the focus. */
function drawBar(slot, reactions, state) {
  const bar = slot.firstElementChild ?? slot.appendChild(make("div", "reactions"));
  bar.setAttribute("role", "group");
  bar.setAttribute("aria-label", t("reactions.of"));
  const before = new Map([...bar.children].map((button) => [button.dataset.emoji, button]));
  const buttons = reactions.map(({ emoji, by }) => {
    const button = before.get(emoji) ?? reactionButton("toggleReaction", emoji);
    const words = t("reactions.by", { emoji, n: by.length, names: namesOf(state, by) });
    button.firstElementChild.textContent = String(by.length);
    button.title = words;
    button.setAttribute("aria-label", words);
    button.setAttribute("aria-pressed", String(by.includes(state.session.me)));
    return button;
  });
  const add = before.get("+") ?? reactionButton("react", "+");
  add.setAttribute("aria-label", t("action.react"));
  buttons.push(add);
  for (const button of before.values()) if (!buttons.includes(button)) button.remove();
  buttons.forEach((button, i) => {
    if (bar.children[i] !== button) bar.insertBefore(button, bar.children[i] ?? null);
  });
}

function reactionButton(act, emoji) {
  const button = make("button", "reaction", emoji);
  Object.assign(button, { type: "button", tabIndex: -1 });
  Object.assign(button.dataset, { act, emoji });
  button.append(make("span", "reaction__count"));
  return button;
}
