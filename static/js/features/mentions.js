// Mentions: `@` completes a member, whose id goes with the message; a message that mentions the user stands out.

import { completionSources } from "../composer/autocomplete.js";
import { messageFields } from "../composer/modes.js";
import { make } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { identicon } from "../lib/identicon.js";
import { shortOf } from "../lib/member_name.js";
import { spanKinds } from "../lib/rich_text.js";
import { confusableKey } from "../model/members/confusables.js";
import { openConversation } from "../model/conversations.js";
import { isShared } from "../model/members/name_index.js";
import { messageActions } from "../timeline/message_actions.js";
import { addBodyMark, addRowClass } from "../timeline/message_row.js";

const OFFERED_MAX = 8;

/** @typedef {{ id: string, start: number, end: number }} Range */

/** The ranges after a text became another: those behind the change move, those that it touches are gone. @param {Range[]} ranges */
export function moveRanges(ranges, before, after) {
  const most = Math.min(before.length, after.length);
  let same = 0;
  while (same < most && before[same] === after[same]) same += 1;
  let tail = 0;
  while (tail < most - same && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const end = before.length - tail;
  const by = after.length - before.length;
  return ranges.flatMap((one) => {
    if (one.end <= same) return [one];
    return one.start >= end ? [{ ...one, start: one.start + by, end: one.end + by }] : [];
  });
}

/** These ranges, and each `@name` of a member whose name no other has. In order. @param {Range[]} ranges */
export function withNames(ranges, text, members) {
  const counts = new Map();
  for (const { name } of members) counts.set(confusableKey(name), (counts.get(confusableKey(name)) ?? 0) + 1);
  const unique = members.filter(({ name }) => name !== "" && counts.get(confusableKey(name)) === 1);
  unique.sort((a, b) => b.name.length - a.name.length); // the longest name counts
  const all = [...ranges];
  for (const { index } of text.matchAll(/(?<![\p{L}\p{N}])@/gu)) {
    if (all.some(({ start, end }) => index >= start && index < end)) continue;
    const named = unique.find(({ name }) => {
      const rest = text.slice(index + 1 + name.length);
      return (
        confusableKey(text.slice(index + 1, index + 1 + name.length)) === confusableKey(name) &&
        !/^[\p{L}\p{N}]/u.test(rest)
      );
    });
    if (named) all.push({ id: named.id, start: index, end: index + 1 + named.name.length });
  }
  return all.sort((a, b) => a.start - b.start);
}

/** The name that is begun before the caret: `{ start, name }`, or null. */
export function begunMention(line, caret) {
  const [, before, name] = /(^|.*[\s(])@([^\s@]*)$/s.exec(line.slice(0, caret)) ?? [];
  return name === undefined ? null : { start: before.length, name };
}

/** The members whose name, or a word in it, or id begins like this; those who spoke last first. @param {string[]} speakers */
export function membersLike(members, typed, speakers) {
  const wanted = confusableKey(typed);
  const isLike = ({ self, name, short }) =>
    !self &&
    (confusableKey(name)
      .split(/\s/)
      .some((word) => word.startsWith(wanted)) ||
      (wanted.length > 3 && short.startsWith(wanted)));
  return members.filter(isLike).sort((a, b) => speakers.lastIndexOf(b.id) - speakers.lastIndexOf(a.id));
}

/** @param {import("../app.js").App} app */
export function install(app) {
  const { state, composer } = app;
  const isForMe = (/** @type {any} */ { message: { mentions, deleted } }) =>
    !deleted && Boolean(mentions?.includes(state.session.me));
  let written = { text: "", ranges: [] };
  let cleared = written; // what stood in the field before it was sent

  completionSources.push((line, caret) => {
    const begun = begunMention(line, caret);
    if (begun === null) return null;
    const speakers = openConversation(state).messages.map(({ author }) => author);
    const members = membersLike([...state.members.values()], begun.name, speakers);
    const options = members.slice(0, OFFERED_MAX).map((member) => optionOf(member, begun.start));
    return { start: begun.start, end: caret, options };
  });

  function optionOf({ id, name }, start) {
    const shown = name || shortOf(id);
    return {
      text: `@${shown} `,
      taken: () => written.ranges.push({ id, start, end: start + shown.length + 1 }),
      draw() {
        const icon = make("span", "option__icon");
        icon.append(identicon(id));
        const parts = [icon, make("bdi", "", shown)];
        return isShared(state, name) ? [...parts, make("code", "short-id", shortOf(id))] : parts;
      },
    };
  }

  composer.inputHandlers.push((text) => {
    if (text === "" && written.text !== "") cleared = written;
    written = { text, ranges: moveRanges(written.ranges, written.text, text) };
  });
  // Without a choice the node finds the names itself.
  messageFields.push((text) => {
    const { ranges } = [written, cleared].find((one) => one.text === text) ?? { ranges: [] };
    return ranges.length === 0 ? {} : { mentions: withNames(ranges, text, [...state.members.values()]) };
  });

  addRowClass("message--mention", isForMe);
  addBodyMark((row) => (isForMe(row) ? make("span", "hidden-text", ` ${t("mention.you")}`) : null));
  spanKinds.mention = ({ id, text }) => {
    const { name } = state.members.get(id) ?? {};
    const button = make("button", "mention", text);
    Object.assign(button, { type: "button", tabIndex: -1 });
    Object.assign(button.dataset, { act: "mention", member: id });
    button.classList.toggle("mention--me", id === state.session.me);
    if (text !== `@${name}` || isShared(state, name)) button.append(" ", make("code", "short-id", shortOf(id)));
    return button;
  };
  messageActions.push({
    id: "mention",
    when: ({ type }) => type === "message",
    run: (_row, _app, part) => app.openDialog("profile", part.dataset.member),
  });
}
