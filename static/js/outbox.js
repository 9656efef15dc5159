// What was typed and is not in the node yet. Pure. Each message has a `ref` of its own from the
// moment Enter is pressed; the node makes one message of it however often it is said, so after a
// break everything without an answer is simply said again, in order.

import { targetOf } from "./state.js";

const IN_FLIGHT_MAX = 50; // the node answers in order; more would only fill its buffers
const REF_VALID_MS = 29 * 86_400_000; // the node remembers refs for 30 days: after that, again could mean twice
const GOES_AGAIN = new Set(["stopping"]); // refusals that only mean "not now"

/** `status`: waiting (to go out), sent (no answer yet), failed. `tried`: it may have reached the node. */
export function create() {
  return { items: [] };
}

export function add(outbox, { ref, text, key, kind = "say", at }) {
  const item = { ref, text, key, kind, at, status: "waiting", tried: false, error: null };
  outbox.items = [...outbox.items, item];
  return item;
}

/** What to say now, oldest first. */
export function due(outbox) {
  const flying = outbox.items.filter((item) => item.status === "sent").length;
  return outbox.items.filter((item) => item.status === "waiting").slice(0, Math.max(0, IN_FLIGHT_MAX - flying));
}

export function frameOf(item) {
  if (item.kind === "hooray") {
    return { type: "command", ref: item.ref, name: "hooray", ...(item.text ? { text: item.text } : {}) };
  }
  return { type: "say", ref: item.ref, text: item.text, ...targetOf(item.key) };
}

export function sent(outbox, ref) {
  change(outbox, ref, { status: "sent", tried: true });
}

export function answered(outbox, ref) {
  outbox.items = outbox.items.filter((item) => item.ref !== ref);
}

export function refused(outbox, ref, code, message) {
  if (GOES_AGAIN.has(code)) change(outbox, ref, { status: "waiting" });
  else change(outbox, ref, { status: "failed", error: message || code });
}

/** The link broke: nobody knows what arrived, so all of it waits again. */
export function cutOff(outbox) {
  outbox.items = outbox.items.map((item) => (item.status === "sent" ? { ...item, status: "waiting" } : item));
}

export function retry(outbox, ref) {
  change(outbox, ref, { status: "waiting", error: null });
}

export function has(outbox, ref) {
  return outbox.items.some((item) => item.ref === ref);
}

function change(outbox, ref, fields) {
  outbox.items = outbox.items.map((item) => (item.ref === ref ? { ...item, ...fields } : item));
}

/**
 * Our message that may come back by another way than as an answer: sent, the link broke, and the resume
 * brings it without its ref. Until the answer to the repetition says so for sure, it is taken for the same.
 */
export function meet(outbox, message) {
  const kind = message.kind;
  return outbox.items.find((item) => item.tried && !item.met && item.kind === kind && sameText(item, message)) ?? null;
}

function sameText(item, message) {
  return item.text === message.text || (item.kind === "hooray" && item.text === "");
}

// --- over a reload ---

export function pack(outbox) {
  return JSON.stringify(outbox.items);
}

export function unpack(text, now) {
  const outbox = create();
  try {
    const items = JSON.parse(text ?? "[]");
    outbox.items = items
      .filter((item) => typeof item.ref === "string" && now - item.at < REF_VALID_MS)
      .map((item) => (item.status === "sent" ? { ...item, status: "waiting" } : item));
  } catch {
    // What cannot be read was not written by us.
  }
  return outbox;
}
