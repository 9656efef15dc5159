// What the user did and the node has not confirmed yet. Each operation has a `ref` of its own from the moment it is
// done; the node does it once however often it is sent, so after a break everything without an answer is simply sent
// again, in order. Until then the operation lies over what the node has told: see [`operationKinds`].

import { conversationOf, targetOf } from "./conversations.js";

const IN_FLIGHT_MAX = 50; // the node answers in order; more would only fill its buffers
const REF_VALID_MS = 29 * 86_400_000; // the node remembers refs for 30 days: after that, again could mean twice
const GOES_AGAIN = new Set(["stopping"]); // refusals that only mean "not now"

/**
 * @typedef {import("../types.d.ts").Message} Message
 * @typedef {import("../types.d.ts").Operation} Operation
 * @typedef {import("../types.d.ts").OperationKind} OperationKind
 */

/** How each kind is sent and shown. A feature adds its own: `operationKinds.react = { overlay: "merge", … }`. */
export const operationKinds = {
  say: {
    overlay: "append",
    frame: ({ text, conversation, fields }) => ({ type: "say", text, ...targetOf(conversation), ...fields }),
  },
  hooray: {
    overlay: "append",
    frame: ({ text }) => ({ type: "command", name: "hooray", ...(text ? { text } : {}) }),
  },
};

/**
 * @param {object} what
 * @param {string} what.ref
 * @param {string} what.kind
 * @param {string} what.conversation
 * @param {number} what.at
 * @param {string | null} [what.target]
 * @param {string} [what.text]
 * @param {Record<string, unknown>} [what.fields]
 * @returns {Operation}
 */
export function addOperation(state, { ref, kind, conversation, at, target = null, text = "", fields = {} }) {
  if (!operationKinds[kind]) throw new Error(`no kind of operation is called ${kind}`);
  /** @type {Operation} */
  const operation = { ref, kind, conversation, target, text, fields, at, status: "waiting", tried: false, error: null };
  state.operations.set(ref, operation);
  return operation;
}

/** What to send now, oldest first. One whose feature is not loaded yet waits for it. */
export function dueOperations(state) {
  const all = [...state.operations.values()].filter(({ kind }) => operationKinds[kind]);
  const flying = all.filter(({ status }) => status === "sent").length;
  return all.filter(({ status }) => status === "waiting").slice(0, Math.max(0, IN_FLIGHT_MAX - flying));
}

export const frameOf = (operation) => ({ ref: operation.ref, ...operationKinds[operation.kind].frame(operation) });

export function markSent(state, ref) {
  change(state, ref, { status: "sent", tried: true });
}

/** The node has done it, or the user takes it back. */
export function removeOperation(state, ref) {
  state.operations.delete(ref);
  if (!hasUnanswered(state)) state.unclaimed.clear();
}

/** The node said the message that the operation asked for: from now on the two are one row. */
export function claimMessage(state, ref, message) {
  state.refs.set(message.id, ref);
  state.unclaimed.delete(message.id);
  removeOperation(state, ref);
}

/**
 * The node has done what makes no message. The change stays on the screen until the changed message comes, which may be
 * a moment later.
 */
export function markDone(state, ref) {
  const operation = state.operations.get(ref);
  if (!operation) return;
  if (operation.target === null) removeOperation(state, ref);
  else change(state, ref, { status: "done" });
}

/** A message came as it is now: what was done to it is in it. */
export function forgetDone(state, target) {
  for (const { ref, status, target: changed } of state.operations.values()) {
    if (changed === target && status === "done") removeOperation(state, ref);
  }
}

export function markRefused(state, ref, code, message) {
  if (GOES_AGAIN.has(code)) change(state, ref, { status: "waiting" });
  else change(state, ref, { status: "failed", error: message || code });
  if (!hasUnanswered(state)) state.unclaimed.clear();
}

/** The connection broke: what has no answer goes out again. */
export function markUnanswered(state) {
  for (const { ref, status } of state.operations.values()) {
    if (status === "sent") change(state, ref, { status: "waiting" });
    if (status === "done") removeOperation(state, ref);
  }
}

export function markRetried(state, ref) {
  change(state, ref, { status: "waiting", error: null });
}

/**
 * A resume brings the user's own messages without their refs. One that an operation may have made is not shown beside
 * that: the repeated operation's answer says which message it became.
 */
export function holdBackEchoes(state, messages) {
  const conversations = new Set(
    [...state.operations.values()].filter(isUnanswered).map(({ conversation }) => conversation),
  );
  const { me, arrival } = state.session;
  for (const message of messages) {
    const isNew = message.arrival > arrival && !state.messages.has(message.id);
    if (isNew && message.author === me && !state.refs.has(message.id) && conversations.has(conversationOf(message, me)))
      state.unclaimed.add(message.id);
  }
}

const isUnanswered = ({ tried, status }) => tried && (status === "waiting" || status === "sent");
const hasUnanswered = (state) => [...state.operations.values()].some(isUnanswered);

function change(state, ref, fields) {
  const operation = state.operations.get(ref);
  if (operation) state.operations.set(ref, { ...operation, ...fields });
}

// --- over a reload ---

export function packOperations(state) {
  return JSON.stringify([...state.operations.values()].filter(({ status }) => status !== "done"));
}

/** Takes what earlier pages left, before what this one did. What the node has forgotten could be done twice. */
export function restoreOperations(state, texts, now) {
  const restored = texts.flatMap(parse).filter(({ ref, at }) => typeof ref === "string" && now - at < REF_VALID_MS);
  const own = state.operations;
  state.operations = new Map();
  for (const { key, ...operation } of restored) {
    if (own.has(operation.ref)) continue;
    const status = operation.status === "sent" ? "waiting" : operation.status;
    state.operations.set(operation.ref, { target: null, fields: {}, conversation: key, ...operation, status });
  }
  for (const [ref, operation] of own) state.operations.set(ref, operation);
}

function parse(text) {
  try {
    const operations = JSON.parse(text ?? "[]");
    return Array.isArray(operations) ? operations : [];
  } catch {
    return []; // Another program wrote it.
  }
}
