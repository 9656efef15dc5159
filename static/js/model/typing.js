// Who is typing where, for as long as that may be true. A stop is never told: it is over after a while, or with the
// message.

import { conversationInFrame, conversationOf } from "./conversations.js";
import { frames } from "./frames.js";

const LASTS_MS = 6000;

frames.on("typing", (state, frame, { now }) => {
  if (frame.id === state.session.me) return [];
  const id = conversationInFrame(frame);
  const typing = new Map();
  for (const [other, members] of state.typing ?? []) {
    const live = current(members, now);
    if (live.size > 0) typing.set(other, live);
  }
  typing.set(id, new Map(typing.get(id)).set(frame.id, now + LASTS_MS));
  state.typing = typing;
  return ["typing"];
});

frames.on("message", (state, { message }) => {
  const members = state.typing?.get(conversationOf(message, state.session.me));
  return members?.delete(message.author) ? ["typing"] : [];
});

/** The members who are typing in a conversation, and until when that counts. @returns {Map<string, number>} */
export const typingIn = (state, conversation, now) => current(state.typing?.get(conversation) ?? new Map(), now);

const current = (members, now) => new Map([...members].filter(([, until]) => until > now));
