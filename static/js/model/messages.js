// The messages that are loaded, each in the place that its order says.

import { conversation, conversationOf, rangesOf } from "./conversations.js";
import { indexName } from "./members/name_index.js";
import { addNotice } from "./notices.js";
import { forgetDone } from "./operations.js";
import { countUnread } from "./unread.js";

const CLOCK_SLACK_MS = 60_000;
const QUOTE_MAX = 140; // characters

/**
 * @typedef {import("../types.d.ts").Message} Message
 * @typedef {{ now: number, before?: Message, isLive?: boolean }} TimeContext
 */

/**
 * A message that the node told of just now: news, a change, or something written long ago. `since` is the arrival
 * number up to which everything was here before, unless that is the session's.
 *
 * @param {import("./state.js").State} state
 * @param {Message} message
 * @param {{ now: number, since?: number, isBeingRead?: (conversation: string) => boolean }} context
 * @returns {{ message: Message, isNew: boolean }} the message as it is kept, and whether it was not here before
 */
export function receiveMessage(state, message, { now, since, isBeingRead = () => false }) {
  const { session } = state;
  // One that is not loaded and came earlier only changed.
  const isNew = !state.messages.has(message.id) && message.arrival > (since ?? session.arrival);
  session.arrival = Math.max(session.arrival, message.arrival ?? 0);
  const id = conversationOf(message, session.me);
  putMessage(state, message, now, true);
  if (message.edited || message.deleted) requote(state, message);
  if (isNew && message.author !== session.me) countUnread(conversation(state, id), message, isBeingRead(id));
  return { message: state.messages.get(message.id) ?? message, isNew };
}

/** Puts a message where its order says, unless what surrounds it there is not loaded. */
export function putMessage(state, message, now, isLive = false) {
  indexName(state, message.author, message.name);
  forgetDone(state, message.id);
  const place = conversation(state, conversationOf(message, state.session.me));
  const before = state.messages.get(message.id);
  const entry = { ...message, ...timesOf(state, message, { before, now, isLive }) };
  if (before && (before.held_by ?? 0) > (message.held_by ?? 0)) {
    entry.held_by = before.held_by;
    entry.of = before.of;
  }
  if (before && before.order === entry.order) return replace(state, entry);

  place.exists = true;
  place.newest = Math.max(place.newest, message.arrival);
  if (before) takeOut(place, message.id);
  state.messages.delete(message.id);
  for (const range of rangesOf(place)) {
    if (!covers(range, entry.order)) continue;
    range.messages = range.messages.toSpliced(indexOf(range.messages, entry.order), 0, entry);
    state.messages.set(entry.id, entry);
  }
}

/** Messages that answer a changed one quote it as it is now, also where that one is not loaded. */
function requote(state, { id, text, deleted = false }) {
  for (const message of state.messages.values()) {
    const { reply } = message;
    if (reply?.id !== id || (reply.text === quotedText(text) && reply.deleted === deleted)) continue;
    replace(state, { ...message, reply: { ...reply, text: quotedText(text), deleted } });
  }
}

/** The beginning of a text, as the node quotes it. */
export const quotedText = (text) => [...text.slice(0, 2 * QUOTE_MAX)].slice(0, QUOTE_MAX).join("");

/** More members hold a message. Receipts never go back. */
export function applyReceipt(state, /** @type {import("../types.d.ts").Frame} */ { id, held_by: heldBy, of }) {
  const message = state.messages.get(id);
  if (message && (message.held_by ?? 0) <= heldBy) replace(state, { ...message, held_by: heldBy, of });
}

/** Remembers what a page brings, and returns its messages as they are kept. */
export function loadPage(state, page, now) {
  for (const notice of page.notices ?? []) addNotice(state, notice);
  return page.messages.map((message) => {
    if (state.messages.has(message.id)) return state.messages.get(message.id);
    indexName(state, message.author, message.name);
    const entry = { ...message, ...timesOf(state, message, { now }) };
    state.messages.set(entry.id, entry);
    return entry;
  });
}

export function forgetMessages(state) {
  state.messages.clear();
  state.notices = [];
  for (const known of state.conversations.values()) {
    Object.assign(known, {
      messages: [],
      floor: null,
      detached: null,
      marker: null,
      unread: 0,
      seen: new Set(),
      late: [],
    });
  }
}

/** Index of the first message whose order is not below `order`. */
function indexOf(messages, order) {
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (messages[middle].order < order) low = middle + 1;
    else high = middle;
  }
  return low;
}

function covers({ floor, ceiling = null }, order) {
  return (floor === null || order >= floor) && (ceiling === null || order <= ceiling);
}

function takeOut(place, id) {
  for (const range of rangesOf(place)) range.messages = range.messages.filter((m) => m.id !== id);
}

function replace(state, entry) {
  for (const range of rangesOf(conversation(state, conversationOf(entry, state.session.me)))) {
    const index = indexOf(range.messages, entry.order);
    if (range.messages[index]?.id !== entry.id) continue;
    range.messages = range.messages.with(index, entry);
    state.messages.set(entry.id, entry);
  }
}

/** When to say it was written. A clock that runs ahead of ours would claim the future: then, when it arrived. */
function timesOf(state, message, /** @type {TimeContext} */ { before, now, isLive = false }) {
  if (before?.skewed) return { at: before.at, skewed: true };
  const at = Date.parse(message.time);
  if (at <= now + CLOCK_SLACK_MS) return { at, skewed: false };
  return { at: isLive ? now : (arrivedAbout(state, message.arrival) ?? now), skewed: true };
}

/** About when something arrived while no page was open: not before what has the arrival number before it. */
function arrivedAbout(state, arrival) {
  let last = null;
  for (const one of [...state.messages.values(), ...state.notices]) {
    if (!one.skewed && one.arrival < arrival && one.arrival > (last?.arrival ?? -1)) last = one;
  }
  return last?.at;
}
