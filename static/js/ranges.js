// Pages of a conversation: older ones, newer ones, and those around one message. Pure. What is loaded is one stretch
// that ends now, or for a while a second one of long ago; when the two meet they are one again.

import { conversation, load, rangeOf, unseenOf } from "./state.js";

const KEPT_MAX = 2000; // messages of one conversation; the rest lives in the node
const KEPT_AFTER_TRIM = 1000;

/** Takes a page of older messages than those shown, as GET /api/v1/messages gave it. Answers how many are new. */
export function takeOlder(state, key, page, now) {
  const known = conversation(state, key);
  const range = rangeOf(known);
  const before = range.messages.length;
  range.messages = union(load(state, page, now), range.messages);
  range.floor = floorOf(page);
  const taken = range.messages.length - before;
  if (known.past !== null) trimPast(state, known, (messages) => messages.slice(0, KEPT_MAX));
  return taken;
}

/** Takes a page that follows what is shown of long ago. */
export function takeNewer(state, key, page, now) {
  const known = conversation(state, key);
  const { past } = known;
  if (past === null) return;
  past.messages = union(past.messages, load(state, page, now));
  past.ceiling = past.messages.at(-1)?.order ?? past.ceiling;
  if (page.messages.length === 0 || meets(known, past.ceiling)) return rejoin(known);
  trimPast(state, known, (messages) => messages.slice(-KEPT_MAX));
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
  if (known.past === null) return;
  release(state, known.past.messages, known.messages);
  known.past = null;
}

/** Lets go of the oldest, once there is more than anybody looks at. Only while the end is being read. */
export function trim(state, key) {
  const known = conversation(state, key);
  if (known.past !== null || known.messages.length <= KEPT_MAX || unseenOf(state, known).length > 0) return;
  for (const message of known.messages.slice(0, -KEPT_AFTER_TRIM)) state.messages.delete(message.id);
  known.messages = known.messages.slice(-KEPT_AFTER_TRIM);
  known.floor = known.messages[0].order;
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

/** A stretch of long ago does not grow for ever either: what is far from where one reads goes. */
function trimPast(state, known, keep) {
  const { past } = known;
  if (past.messages.length <= KEPT_MAX) return;
  const before = past.messages;
  past.messages = keep(before);
  if (past.messages[0] !== before[0]) past.floor = past.messages[0].order;
  past.ceiling = past.messages.at(-1).order;
  release(state, before, past.messages.concat(known.messages));
}

function release(state, dropped, kept) {
  const ids = new Set(kept.map((m) => m.id));
  for (const { id } of dropped) {
    if (!ids.has(id)) state.messages.delete(id);
  }
}
