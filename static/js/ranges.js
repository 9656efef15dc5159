// Pages of a conversation: older ones, newer ones, and those around one message. Pure. What is loaded is one stretch
// that ends now, or for a while a second one of long ago; when the two meet they are one again. What is far from where
// one reads is let go of: the node has it.

import { conversation, load, rangeOf, unseenOf } from "./state.js";

const KEPT_MAX = 2000; // messages of one conversation
const KEPT_NEAR = 600; // on either side of the one that is read: more than are drawn
const KEPT_NEWEST = 800;
const KEPT_ELSEWHERE = 100; // of a conversation that was not opened lately: it opens with no more

/** Takes a page of older messages than those shown, as GET /api/v1/messages gave it. Answers how many are new. */
export function takeOlder(state, key, page, now) {
  const known = conversation(state, key);
  const range = rangeOf(known);
  const before = range.messages.length;
  range.messages = union(load(state, page, now), range.messages);
  range.floor = floorOf(page);
  return range.messages.length - before;
}

/** Takes a page that follows what is shown of long ago. */
export function takeNewer(state, key, page, now) {
  const known = conversation(state, key);
  const { past } = known;
  if (past === null) return;
  past.messages = union(past.messages, load(state, page, now));
  past.ceiling = past.messages.at(-1)?.order ?? past.ceiling;
  if (page.messages.length === 0 || meets(known, past.ceiling)) rejoin(known);
}

/** Shows the part of a conversation around a message. */
export function takeAround(state, key, page, now) {
  const known = conversation(state, key);
  leavePast(state, known);
  const messages = union([], load(state, page, now));
  known.past = { messages, floor: floorOf(page), ceiling: messages.at(-1)?.order ?? "" };
  if (meets(known, known.past.ceiling)) rejoin(known);
}

/** Back to the stretch that ends now. */
export function leavePast(state, known) {
  const { past } = known;
  known.past = null;
  if (past !== null) release(state, past.messages, known.messages);
}

/**
 * Lets go of what is far from where one reads, in the conversation opened last: its end, or the message `place()`; of all others
 * but their end.
 */
export function forgetFar(state, atEnd, place) {
  for (const known of state.conversations.values()) {
    const all = () => known.messages.concat(known.past?.messages ?? []);
    const before = all();
    const isOpened = state.opened.includes(known.key);
    if (before.length <= (isOpened ? KEPT_MAX : KEPT_ELSEWHERE)) continue;
    // Whoever jumps from the end is at neither place for a moment.
    if (known.key === state.opened[0] && !(atEnd && known.past === null)) keepNear(known, place());
    else keepNewest(known, isOpened ? KEPT_NEWEST : KEPT_ELSEWHERE);
    release(state, before, all());
    if (known.line && !state.messages.has(known.line)) known.line = unseenOf(state, known)[0]?.id ?? null;
  }
}

function keepNewest(known, count) {
  known.past = null;
  if (known.messages.length <= count) return;
  known.messages = known.messages.slice(-count);
  known.floor = known.messages[0].order;
}

function keepNear(known, id) {
  const { messages, floor } = rangeOf(known);
  const near = messages.findIndex((message) => message.id === id);
  if (near < 0) return;
  const from = Math.max(0, near - KEPT_NEAR);
  const kept = { messages: messages.slice(from), floor: from > 0 ? messages[from].order : floor };
  if (known.past === null && near + KEPT_NEAR + KEPT_NEWEST >= messages.length) return Object.assign(known, kept);
  kept.messages = messages.slice(from, near + KEPT_NEAR);
  keepNewest(known, KEPT_NEWEST);
  known.past = { ...kept, ceiling: kept.messages.at(-1).order };
}

const floorOf = (page) => (page.before === null || page.messages.length === 0 ? null : page.messages[0].order);
const meets = (known, order) => known.floor === null || order >= known.floor;

function rejoin(known) {
  known.messages = union(known.past.messages, known.messages);
  known.floor = known.past.floor;
  known.past = null;
}

/** Both, each once, in the order of the room. */
function union(a, b) {
  const each = new Map([...a, ...b].map((m) => [m.id, m]));
  return [...each.values()].sort((x, y) => (x.order < y.order ? -1 : x.order > y.order ? 1 : 0));
}

/** Forgets messages that are not shown any more. */
function release(state, dropped, kept) {
  const ids = new Set(kept.map((m) => m.id));
  for (const { id } of dropped) {
    if (!ids.has(id)) state.messages.delete(id);
  }
}
