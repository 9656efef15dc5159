// What each frame from the node changes: a registry. A feature handles its own type, or more of a known one:
// `frames.on("typing", (state, frame, context) => ["typing"])`.

import { conversation, conversationInFrame } from "./conversations.js";
import { setMember } from "./members/members.js";
import { applyReceipt, receiveMessage } from "./messages.js";
import { addNotice } from "./notices.js";
import { claimMessage, markDone, markRefused } from "./operations.js";
import { applyWelcome } from "./session.js";
import { applyRead } from "./unread.js";

/**
 * @typedef {import("../types.d.ts").Frame} Frame
 * @typedef {(state: import("./state.js").State, frame: Frame, context: Context) => string[] | undefined} Handler returns the topics of what it changed
 * @typedef {import("../types.d.ts").Context} Context
 */

const handlers = new Map(); // type -> Handler[]

export const frames = {
  /** @type {(type: string, handler: Handler) => void} */
  on(type, handler) {
    handlers.set(type, [...(handlers.get(type) ?? []), handler]);
  },
};

/** Takes one frame. Returns the topics of what it changed; of a type that no handler knows, nothing. */
export function applyFrame(state, frame, context) {
  const names = state.nameIndex.size;
  const topics = (handlers.get(frame.type) ?? []).flatMap((handler) => handler(state, frame, context) ?? []);
  // A name that is new may be another's as well, and then both are shown with their ids.
  return new Set(state.nameIndex.size === names ? topics : [...topics, "members"]);
}

const MESSAGE = ["timeline", "conversations"];

frames.on("welcome", (state, frame, context) => {
  applyWelcome(state, frame, context);
  return ["timeline", "conversations", "members", "session"];
});

frames.on("said", (state, frame, context) => {
  if (frame.ref) claimMessage(state, frame.ref, frame.message);
  return receive(state, frame, context);
});

frames.on("message", receive);

frames.on("notice", (state, { notice }, { emit }) => {
  addNotice(state, notice);
  emit?.("notice", { notice });
  return ["timeline"];
});

frames.on("member", (state, { member }) => {
  setMember(state, member);
  return ["members"];
});

frames.on("topic", (state, frame) => {
  conversation(state, conversationInFrame(frame)).topic = frame.text;
  return ["conversations"];
});

frames.on("held", (state, frame) => {
  applyReceipt(state, frame);
  return ["timeline"];
});

frames.on("read", (state, frame) => {
  applyRead(state, frame);
  return MESSAGE;
});

frames.on("beat", ({ session }, { arrival }) => {
  session.arrival = Math.max(session.arrival, arrival);
  return [];
});

frames.on("done", (state, { ref }) => {
  markDone(state, ref);
  return ["timeline"];
});

frames.on("error", (state, { ref, error, message }, { emit }) => {
  const operation = state.operations.get(ref);
  if (!operation) return [];
  markRefused(state, ref, error, message);
  emit?.("refused", { operation, code: error, message });
  return ["timeline"];
});

function receive(state, frame, context) {
  const { message, isNew } = receiveMessage(state, frame.message, context);
  if (isNew) context.emit?.("message", { message });
  return MESSAGE;
}
