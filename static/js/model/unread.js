// What is unread, and what becomes of it when it is seen.

import { conversation, conversationInFrame } from "./conversations.js";

const ENOUGH = 50; // messages that fill a window

/** What others wrote here and was not seen, as far as it is loaded. */
export function unseenOf(state, conversation) {
  const { me } = state.session;
  const isUnseen = (m) => m.arrival > conversation.read && m.author !== me && !conversation.seen.has(m.id);
  return conversation.messages.filter(isUnseen);
}

/** Whether what is loaded is too little to open it: it does not reach back to where reading stopped, or fills no window. */
export function isShort(state, conversation) {
  const isUnreadHere = conversation.unread <= unseenOf(state, conversation).length;
  const isEnough = isUnreadHere && conversation.messages.length >= ENOUGH;
  return conversation.floor !== null && conversation.detached === null && !isEnough;
}

/** A conversation is opened, or more of it was loaded: the marker goes before the first message that was not read. */
export function placeMarker(state, id) {
  const opened = conversation(state, id);
  if (opened.unread > 0) opened.detached = null;
  opened.late = [];
  const unseen = unseenOf(state, opened);
  opened.marker = opened.unread > 0 ? (unseen[0]?.id ?? null) : null;
  // Where reading stopped is not loaded yet.
  if (isShort(state, opened) && opened.unread > unseen.length) opened.marker = undefined;
}

export function clearMarker(state, id) {
  conversation(state, id).marker = null;
}

/** A message of another member arrived. */
export function countUnread(conversation, message, isBeingRead) {
  const isLate = conversation.messages.at(-1)?.id !== message.id;
  if (isLate) conversation.late = [...conversation.late, message.id];
  // The marker stays where reading stopped; only after everything was read does it move on.
  else if (conversation.unread === 0 && !isBeingRead) conversation.marker = message.id;
  conversation.unread += 1;
}

/**
 * These messages were seen. Returns the arrival number up to which all is read now, to tell the node; null if that did
 * not move. It moves only over what was seen: something late may wait far above what is read.
 */
export function markSeen(state, id, ids) {
  const seenIn = conversation(state, id);
  const before = seenIn.read;
  let count = 0;
  for (const one of ids) {
    const message = state.messages.get(one);
    const isOwn = message?.author === state.session.me;
    if (!message || isOwn || message.arrival <= before || seenIn.seen.has(one)) continue;
    seenIn.seen.add(one);
    count += 1;
  }
  if (count === 0) return null;
  seenIn.unread = Math.max(0, seenIn.unread - count);
  seenIn.late = seenIn.late.filter((late) => !seenIn.seen.has(late));
  const unseen = unseenOf(state, seenIn);
  if (seenIn.unread > unseen.length) return null; // some of it is not loaded, so its numbers are not known
  const first = unseen.reduce((min, m) => Math.min(min, m.arrival), seenIn.newest + 1);
  seenIn.read = Math.max(before, first - 1);
  if (unseen.length === 0) seenIn.seen.clear();
  return seenIn.read > before ? seenIn.read : null;
}

/** Everything in it is read. Returns the arrival number to tell the node, or null if nothing changed. */
export function markRead(state, id) {
  const read = conversation(state, id);
  const changed = read.unread > 0 || read.newest > read.read;
  // What is unread may not be loaded; its numbers are below that of the last arrival.
  if (read.unread > 0) read.read = Math.max(read.read, state.session.arrival);
  read.unread = 0;
  read.late = [];
  read.seen.clear();
  read.read = Math.max(read.read, read.newest);
  return changed ? read.read : null;
}

/** How many of the messages that were not seen mention the user. Only the node can count what is not loaded. */
export function mentionsIn(state, conversation) {
  if (conversation.unread === 0) return 0;
  const unseen = unseenOf(state, conversation);
  const loaded = unseen.filter(({ mentions }) => mentions?.includes(state.session.me)).length;
  return conversation.unread <= unseen.length ? loaded : Math.max(loaded, conversation.mentions);
}

/** The node tells how far it is read: another tab may have read it. */
export function applyRead(state, frame) {
  const { read } = frame;
  const known = conversation(state, conversationInFrame(frame));
  if (read < known.read) return;
  known.read = read;
  // Only the node can count what is not loaded; an older one does not.
  known.unread = frame.unread ?? unseenOf(state, known).length;
  known.mentions = frame.mentions ?? known.mentions;
  known.late = known.unread === 0 ? [] : known.late;
}

/** What is new in a conversation. One whose end is being read right now has nothing new but what came late. */
export function unreadIn(conversation, isBeingRead) {
  const { marker, unread, late } = conversation;
  return isBeingRead && marker === null ? Math.min(unread, late.length) : unread;
}

/** @param {(conversation: string) => boolean} [isBeingRead] */
export function unreadTotal(state, isBeingRead = () => false) {
  let total = 0;
  for (const one of state.conversations.values()) total += unreadIn(one, isBeingRead(one.id));
  return total;
}
