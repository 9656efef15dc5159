// Messages of blocked members. The node keeps them back; of those that were shown before, the page remembers the places.

import { conversationOf, rangesOf } from "../conversations.js";

/** @typedef {{ id: string, author: string, order: string, at: number }} HiddenMessage */

export const isBlocked = (state, author) => state.members.get(author)?.blocked === true;

/** Remembers where messages of blocked members stand, before all messages are forgotten. */
export function keepPlaces(state) {
  const kept = new Map();
  for (const entry of state.blockedMessages.values()) kept.set(entry.id, entry);
  for (const known of state.conversations.values()) {
    for (const message of rangesOf(known).flatMap(({ messages }) => messages)) {
      const { id, author, order, at } = message;
      kept.set(id, { id, author, order, at, conversation: conversationOf(message, state.session.me) });
    }
  }
  state.blockedMessages = new Map([...kept].filter(([, { author }]) => isBlocked(state, author)));
}

/** The messages of a loaded part, and the places of hidden ones among them. */
export function withHidden(state, id, { messages, floor, ceiling = null }) {
  const isIn = ({ order }) => (floor === null || order >= floor) && (ceiling === null || order <= ceiling);
  const hidden = [...state.blockedMessages.values()].filter(
    (entry) => entry.conversation === id && isIn(entry) && !state.messages.has(entry.id),
  );
  if (hidden.length === 0) return messages;
  return [...messages, ...hidden].sort((a, b) => (a.order < b.order ? -1 : 1));
}
