// The session with the node: the connection, and what a welcome tells.

import { keepPlaces } from "./members/blocked.js";
import { conversation, conversationInFrame } from "./conversations.js";
import { setMember } from "./members/members.js";
import { forgetMessages, putMessage, receiveMessage } from "./messages.js";
import { addNotice } from "./notices.js";
import { nameDefaultChannel } from "./routes.js";
import { holdBackEchoes } from "./operations.js";

const WORTH_SAYING_AFTER_MS = 2000;

/** The connection tells how it stands: `{ phase, waitingSince, retryAt, cutSince, stopping }`. */
export function setConnection(state, connection) {
  Object.assign(state.session, connection);
}

export const isOpen = (state) => state.session.phase === "open";

/** Whether the connection is lost for so long that it is worth saying. */
export function isCut(state, now) {
  return millisUntilCut(state, now) === 0;
}

/** In how many milliseconds a lost connection is worth saying; null while it is not lost. */
export function millisUntilCut({ session }, now) {
  if (session.phase === "open" || session.cutSince === 0) return null;
  return Math.max(0, session.cutSince + WORTH_SAYING_AFTER_MS - now);
}

/** The connection is back after it was worth saying that it was lost; `back` is null once that was told long enough. */
export function setBack(state, back) {
  state.session.back = back;
}

/** The node told more of itself. */
export function setNode(state, node) {
  state.session.node = node;
}

/** Takes a welcome: all of it is new, or it adds what came since the last one. */
export function applyWelcome(state, frame, context) {
  const { session } = state;
  const since = session.arrival;
  const resumed = session.run !== null && frame.reset !== true;
  session.node = frame.node;
  session.run = frame.run;
  session.limits = frame.limits;
  session.defaults = frame.defaults;
  nameDefaultChannel(state);
  state.members.clear();
  for (const member of frame.members) setMember(state, member);
  session.me = frame.members.find((member) => member.self)?.id ?? frame.node.id;
  holdBackEchoes(state, frame.messages);

  if (!resumed) {
    keepPlaces(state);
    forgetMessages(state);
  }
  for (const entry of [{ channel: frame.defaults.channel }, ...frame.conversations]) {
    const known = conversation(state, conversationInFrame(entry));
    known.exists = true;
    known.mentions = entry.mentions ?? 0;
    known.topic = entry.topic ?? "";
    if (resumed) continue;
    known.unread = entry.unread ?? 0;
    known.read = entry.read ?? 0;
  }
  for (const notice of frame.notices) addNotice(state, notice);
  for (const message of frame.messages) {
    if (resumed) receiveMessage(state, message, { ...context, since });
    else putMessage(state, message, context.now);
  }
  if (!resumed) {
    // The newest messages of all conversations came together: each is whole from the oldest of them on.
    const floor = frame.before === null ? null : (frame.messages[0]?.order ?? null);
    for (const known of state.conversations.values()) known.floor = floor;
  }
  session.arrival = resumed ? Math.max(session.arrival, frame.arrival) : frame.arrival;
}
