// Going anywhere by typing a few letters: conversations, people, commands. What is unread comes first, then what
// was said last.

import { channelName, COMMANDS } from "../composer/command_parser.js";
import { make, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { identicon } from "../lib/identicon.js";
import { createFinder } from "../lib/listbox.js";
import { confusableKey } from "../model/members/confusables.js";
import { channelId, conversationName, directId } from "../model/conversations.js";
import { memberName } from "../sidebar/member_list.js";
import { openDialog } from "./dialog.js";

const SHOWN_MAX = 50;

/** @typedef {import("../types.d.ts").Place} Place */

/** All places there are, best first: `{ id, label, peer, channel }`, `{ command, label }`. Pure. */
export function placesOf(state) {
  const existing = [...state.conversations.values()].filter(({ exists }) => exists);
  existing.sort((a, b) => Number(b.unread > 0) - Number(a.unread > 0) || b.newest - a.newest);
  /** @type {Place[]} */
  const places = existing.map(({ id, unread, peer, channel }) => ({
    id,
    label: conversationName(state, id),
    unread,
    peer,
    channel,
  }));
  const seen = new Set(places.map(({ id }) => id));
  for (const { id: peer, self } of state.members.values()) {
    const id = directId(peer);
    if (!self && !seen.has(id)) places.push({ id, label: conversationName(state, id), unread: 0, peer, channel: null });
  }
  return places.concat(COMMANDS.map(({ name, usage }) => ({ command: name, label: usage, unread: 0 })));
}

/** Those that fit what was typed: by the beginning of the name first, then by a part of it. Pure. */
export function matching(places, typed) {
  const wanted = confusableKey(typed.trim()).replace(/^#\s*/, "");
  if (wanted === "") return places.filter(({ command }) => !command).slice(0, SHOWN_MAX);
  const score = ({ label, command }) => {
    const name = command ?? confusableKey(label).replace(/^#\s*/, "");
    return name.startsWith(wanted) ? 0 : name.includes(wanted) ? 1 : 2;
  };
  const scored = places.map((place) => ({ place, at: score(place) })).filter(({ at }) => at < 2);
  return scored
    .sort((a, b) => a.at - b.at)
    .map(({ place }) => place)
    .slice(0, SHOWN_MAX);
}

/** @param {import("../app.js").App} app */
export function open(app) {
  const { state, router, composer } = app;
  const places = placesOf(state);
  const dialog = openDialog("t-switcher");
  const field = dialog.querySelector("input");
  const finder = createFinder({
    field,
    list: dialog.querySelector("[role=listbox]"),
    draw: (place) => optionParts(state, place),
    take({ id, command }) {
      dialog.close();
      if (id) router.go(id);
      else composer.text = `/${command} `;
      composer.focus();
    },
  });
  const update = () => {
    const found = matching(places, field.value);
    const name = channelName(field.value);
    const id = channelId(name);
    const isNew = name !== "" && !found.some((place) => place.id === id);
    if (isNew) found.push({ id, label: t("switcher.join", { name }), unread: 0, peer: null, channel: null });
    finder.show(found);
    setText(dialog.querySelector("[role=status]"), t("completion.count", { n: found.length }));
  };
  field.addEventListener("input", update);
  update();
  field.focus();
}

function optionParts(state, { label, command, unread, peer, channel }) {
  const mark = make("span", "option__icon");
  const name = make("span", "option__label");
  if (peer) mark.append(identicon(peer));
  else if (channel) mark.append("#");
  name.append(peer ? memberName(state, peer) : make("bdi", "", channel ?? label));
  const parts = [mark, name];
  if (command) parts.push(make("span", "meta", t(`command.${command}`)));
  if (unread > 0) parts.push(make("span", "badge", t("conversations.unread", { n: unread })));
  return parts;
}
