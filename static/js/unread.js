// What counts as unread, and what becomes of it when it is seen. Pure.

import { conversation, unseenOf } from "./state.js";

/**
 * These messages were seen. Answers the arrival number up to which all is read now, to tell the node; null if that
 * did not move. It moves only over what was seen: something late may wait far above what one reads.
 */
export function see(state, key, ids) {
  const known = conversation(state, key);
  const before = known.read;
  let count = 0;
  for (const id of ids) {
    const message = state.messages.get(id);
    if (!message || message.author === state.me || message.arrival <= before || known.seen.has(id)) continue;
    known.seen.add(id);
    count += 1;
  }
  if (count === 0) return null;
  known.unread = Math.max(0, known.unread - count);
  known.late = known.late.filter((id) => !known.seen.has(id));
  const unseen = unseenOf(state, known);
  if (known.unread > unseen.length) return null; // some of it is not loaded, so nobody knows its numbers
  const first = unseen.reduce((min, m) => Math.min(min, m.arrival), known.newest + 1);
  known.read = Math.max(before, first - 1);
  if (unseen.length === 0) known.seen.clear();
  return known.read > before ? known.read : null;
}

/** What is new in a conversation. One whose end is being read right now has nothing new but what came late. */
export function unreadIn(known, isAttended) {
  return isAttended && known.line === null ? Math.min(known.unread, known.late.length) : known.unread;
}

export function unreadTotal(state, attended = () => false) {
  let total = 0;
  for (const known of state.conversations.values()) total += unreadIn(known, attended(known.key));
  return total;
}
