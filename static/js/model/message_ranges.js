// Pages of a conversation: older ones, newer ones, and those around one message. What is loaded is one range that ends
// now, or for a while a second, detached one of long ago; when the two meet they are one again. What is far from the
// messages that are read is released: the node has it.

import { conversation, rangeOf } from "./conversations.js";
import { loadPage } from "./messages.js";
import { unseenOf } from "./unread.js";

const KEPT_MAX = 2000; // messages of one conversation
const KEPT_NEAR = 600; // on either side of the one that is read: more than are drawn
const KEPT_NEWEST = 800;
const KEPT_ELSEWHERE = 100; // of a conversation that was not opened lately: it opens with no more

/** Takes a page of older messages than those shown, as GET /api/v1/messages gave it. Answers how many are new. */
export function takeOlder(state, id, page, now) {
  const place = conversation(state, id);
  const range = rangeOf(place);
  const before = range.messages.length;
  range.messages = union(loadPage(state, page, now), range.messages);
  range.floor = floorOf(page);
  return range.messages.length - before;
}

/** Takes a page that follows what is shown of long ago. */
export function takeNewer(state, id, page, now) {
  const place = conversation(state, id);
  const { detached } = place;
  if (detached === null) return;
  detached.messages = union(detached.messages, loadPage(state, page, now));
  detached.ceiling = detached.messages.at(-1)?.order ?? detached.ceiling;
  if (page.messages.length === 0 || meets(place, detached.ceiling)) rejoin(place);
}

/** Shows the part of a conversation around a message. */
export function takeAround(state, id, page, now) {
  const place = conversation(state, id);
  leaveDetached(state, place);
  const messages = union([], loadPage(state, page, now));
  place.detached = { messages, floor: floorOf(page), ceiling: messages.at(-1)?.order ?? "" };
  if (meets(place, place.detached.ceiling)) rejoin(place);
}

/** Goes back to the range that ends now. */
export function leaveDetached(state, place) {
  const { detached } = place;
  place.detached = null;
  if (detached !== null) release(state, detached.messages, place.messages);
}

/**
 * Releases what is far from the messages that are read: in the conversation opened last the end, or the message
 * `firstVisible()`; in all others the end. Returns whether anything was released.
 */
export function forgetFar(state, atEnd, firstVisible) {
  let isChanged = false;
  for (const place of state.conversations.values()) {
    const all = () => place.messages.concat(place.detached?.messages ?? []);
    const before = all();
    const isOpened = state.opened.includes(place.id);
    if (before.length <= (isOpened ? KEPT_MAX : KEPT_ELSEWHERE)) continue;
    // A jump from the end is at neither place for a moment.
    const isOpen = place.id === state.opened[0];
    if (isOpen && !(atEnd && place.detached === null)) keepNear(place, firstVisible());
    else keepNewest(place, isOpened ? KEPT_NEWEST : KEPT_ELSEWHERE);
    release(state, before, all());
    isChanged ||= all().length < before.length;
    if (place.marker && !state.messages.has(place.marker)) place.marker = unseenOf(state, place)[0]?.id ?? null;
  }
  return isChanged;
}

function keepNewest(place, count) {
  place.detached = null;
  if (place.messages.length <= count) return;
  place.messages = place.messages.slice(-count);
  place.floor = place.messages[0].order;
}

function keepNear(place, id) {
  const { messages, floor } = rangeOf(place);
  const near = messages.findIndex((message) => message.id === id);
  if (near < 0) return;
  const from = Math.max(0, near - KEPT_NEAR);
  const kept = { messages: messages.slice(from), floor: from > 0 ? messages[from].order : floor };
  const isNearEnd = near + KEPT_NEAR + KEPT_NEWEST >= messages.length;
  if (place.detached === null && isNearEnd) return Object.assign(place, kept);
  kept.messages = messages.slice(from, near + KEPT_NEAR);
  keepNewest(place, KEPT_NEWEST);
  place.detached = { ...kept, ceiling: kept.messages.at(-1).order };
}

const floorOf = (page) => (page.before === null || page.messages.length === 0 ? null : page.messages[0].order);
const meets = (place, order) => place.floor === null || order >= place.floor;

function rejoin(place) {
  place.messages = union(place.detached.messages, place.messages);
  place.floor = place.detached.floor;
  place.detached = null;
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
