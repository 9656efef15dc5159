// Going anywhere by typing a few letters: conversations, people, commands. What is unread comes first, then what
// was said last.

import { COMMANDS, channelName } from "../commands.js";
import { byId, identicon, make, nameOf, setText } from "../lib/dom.js";
import { t } from "../lib/texts.js";
import { channelKey, directKey, fold, isShared, placeName } from "../state.js";
import { open } from "./dialogs.js";
import { Options } from "./options.js";

const SHOWN_MAX = 50;

/** All places there are, best first: `{ key, label }`, `{ command }`. Pure. */
export function placesOf(state) {
  const known = [...state.conversations.values()].filter(({ exists }) => exists);
  known.sort((a, b) => (b.unread > 0) - (a.unread > 0) || b.newest - a.newest);
  const places = known.map(({ key, unread }) => ({ key, label: placeName(state, key), unread }));
  const seen = new Set(places.map(({ key }) => key));
  for (const { id, self } of state.members.values()) {
    const key = directKey(id);
    if (!self && !seen.has(key)) places.push({ key, label: placeName(state, key), unread: 0 });
  }
  return places.concat(COMMANDS.map(({ name, usage }) => ({ command: name, label: usage, unread: 0 })));
}

/** Those that fit what was typed: by the beginning of the name first, then by a part of it. Pure. */
export function matching(places, typed) {
  const wanted = fold(typed.trim()).replace(/^#\s*/, "");
  if (wanted === "") return places.filter(({ command }) => !command).slice(0, SHOWN_MAX);
  const score = ({ label, command }) => {
    const name = command ?? fold(label).replace(/^#\s*/, "");
    return name.startsWith(wanted) ? 0 : name.includes(wanted) ? 1 : 2;
  };
  const scored = places.map((place) => ({ place, at: score(place) })).filter(({ at }) => at < 2);
  return scored.sort((a, b) => a.at - b.at).map(({ place }) => place).slice(0, SHOWN_MAX);
}

export function showSwitcher({ state, room, go }) {
  const memberOf = (key) => state.members.get(key?.startsWith("d:") ? key.slice(2) : undefined);
  const places = placesOf(state).map((place) => {
    const member = memberOf(place.key);
    return member ? { ...place, member: { ...member, isShared: isShared(state, member.name) } } : place;
  });
  const dialog = open("t-switcher");
  const field = dialog.querySelector("input");
  const options = new Options(field, dialog.querySelector("[role=listbox]"), (place) => {
    dialog.close();
    if (place.key) go(place.key);
    else room.write(place.command ? `/${place.command} ` : "");
    byId("field").focus();
  });
  const update = () => {
    const found = matching(places, field.value);
    const name = channelName(field.value);
    const isNew = name !== "" && !found.some(({ key }) => key === channelKey(name));
    if (isNew) found.push({ key: channelKey(name), label: t("switcher.join", { name }), unread: 0 });
    options.show(found, optionOf);
    setText(dialog.querySelector("[role=status]"), t("completion.count", { n: found.length }));
  };
  field.addEventListener("input", update);
  update();
  field.focus();
}

function optionOf({ key, label, command, unread, member }) {
  const mark = make("span", "mark");
  const name = make("span", "label");
  if (member) {
    mark.append(identicon(member.id));
    name.append(nameOf(member.id, member.name, member.isShared));
  } else {
    const isChannel = key?.startsWith("c:") && label.startsWith("# ");
    if (isChannel) mark.append("#");
    name.append(make("bdi", "", isChannel ? label.slice(2) : label));
  }
  const parts = [mark, name];
  if (command) parts.push(make("span", "meta", t(`command.${command}`)));
  if (unread > 0) parts.push(make("span", "badge", t("conversations.unread", { n: unread })));
  return parts;
}
