import assert from "node:assert/strict";
import test from "node:test";
import { conversation } from "../../../static/js/model/conversations.js";
import { applyFrame } from "../../../static/js/model/frames.js";
import {
  addOperation,
  dueOperations,
  frameOf,
  markRefused,
  markRetried,
  markSent,
  markUnanswered,
  packOperations,
  removeOperation,
  restoreOperations,
} from "../../../static/js/model/operations.js";
import { createState } from "../../../static/js/model/state.js";
import { buildRows } from "../../../static/js/timeline/build_rows.js";
import { ANA, GENERAL, ME, T0, message, welcome } from "../frames.mjs";

const now = T0 + 3_600_000;

function filled(...refs) {
  const state = createState();
  refs.forEach((ref, i) => addOperation(state, { ref, kind: "say", text: ref, conversation: GENERAL, at: i }));
  return state;
}

const due = (state) => dueOperations(state).map(({ ref }) => ref);
const status = (state) => [...state.operations.values()].map((operation) => operation.status);

test("goes out in order, once, and again after a break", () => {
  const state = filled("a", "b", "c");
  assert.deepEqual(due(state), ["a", "b", "c"]);
  markSent(state, "a");
  markSent(state, "b");
  assert.deepEqual(due(state), ["c"]);
  removeOperation(state, "a");
  markUnanswered(state);
  assert.deepEqual(due(state), ["b", "c"]);
});

test("only so many are on their way at once", () => {
  const state = filled(...Array.from({ length: 120 }, (_, i) => `r${i}`));
  const first = due(state);
  assert.equal(first.length, 50);
  for (const ref of first) markSent(state, ref);
  assert.deepEqual(due(state), []);
  removeOperation(state, "r0");
  assert.deepEqual(due(state), ["r50"]);
});

test("what was refused stays until the user decides, and a break does not send it", () => {
  const state = filled("a");
  markSent(state, "a");
  markRefused(state, "a", "disk_full", "The disk is full.");
  markUnanswered(state);
  assert.deepEqual([status(state), due(state), state.operations.get("a").error], [["failed"], [], "The disk is full."]);
  markRetried(state, "a");
  assert.deepEqual([status(state), state.operations.get("a").error], [["waiting"], null]);
});

test("a node that stops refuses nothing for good", () => {
  const state = filled("a");
  markSent(state, "a");
  markRefused(state, "a", "stopping", "Stopping.");
  assert.deepEqual(status(state), ["waiting"]);
});

test("each kind of conversation is told to the node in its own field", () => {
  const state = createState();
  const frame = (fields) => frameOf(addOperation(state, { ref: "r", kind: "say", text: "t", at: 0, ...fields }));
  assert.deepEqual(frame({ conversation: "c:general" }), { type: "say", ref: "r", text: "t", channel: "general" });
  assert.deepEqual(frame({ conversation: `d:${ANA}` }), { type: "say", ref: "r", text: "t", to: ANA });
  const reply = { conversation: "c:general", fields: { reply_to: "id1" } };
  assert.deepEqual(frame(reply), { type: "say", ref: "r", text: "t", channel: "general", reply_to: "id1" });
  const hooray = { conversation: "c:general", kind: "hooray" };
  assert.deepEqual(frame(hooray), { type: "command", ref: "r", name: "hooray", text: "t" });
  assert.deepEqual(frame({ ...hooray, text: "" }), { type: "command", ref: "r", name: "hooray" });
});

test("an unknown kind is refused, and one that is not loaded yet waits", () => {
  const state = createState();
  assert.throws(() => addOperation(state, { ref: "r", kind: "dance", conversation: GENERAL, at: 0 }));
  restoreOperations(
    state,
    [JSON.stringify([{ ref: "r", kind: "dance", conversation: GENERAL, at: now, status: "waiting" }])],
    now,
  );
  assert.deepEqual([due(state), state.operations.size], [[], 1]);
});

test("outlives a reload, as waiting, and forgets what the node has forgotten", () => {
  const state = filled("a", "b");
  markSent(state, "a");
  const packed = packOperations(state);
  const restored = (texts, at) => {
    const other = createState();
    restoreOperations(other, texts, at);
    return other;
  };
  assert.deepEqual(status(restored([packed], 10)), ["waiting", "waiting"]);
  assert.equal(restored([packed], 30 * 86_400_000).operations.size, 0);
  for (const text of ["not ours", "null", "{}"]) assert.equal(restored([text], 10).operations.size, 0);
  const older = JSON.stringify([
    { ref: "o", kind: "say", key: "c:lunch", text: "t", at: 5, status: "sent", tried: true },
  ]);
  assert.equal(restored([older], 10).operations.get("o").conversation, "c:lunch", "as an earlier page kept it");
  const mine = filled("z");
  restoreOperations(mine, [packed], 10);
  assert.deepEqual([...mine.operations.keys()], ["a", "b", "z"]);
});

test("a resumed own message is claimed by its ref, not by its text", () => {
  const state = createState();
  applyFrame(state, welcome([message(1)]), { now });
  const texts = () =>
    buildRows(state, GENERAL, now)
      .filter(({ type }) => type === "message")
      .map((row) => row.message.text);
  for (const ref of ["a", "b"]) addOperation(state, { ref, kind: "say", text: "same", conversation: GENERAL, at: now });
  markSent(state, "a");
  markSent(state, "b");
  markUnanswered(state);
  // The first of them reached the node; another tab said the same.
  const [own, other] = [message(2, { author: ME, text: "same" }), message(3, { author: ME, text: "same" })];
  applyFrame(state, welcome([own, other]), { now });
  assert.deepEqual(texts(), ["text 1", "same", "same"], "two rows, not four, until the answers come");
  applyFrame(state, { type: "said", ref: "a", message: own }, { now });
  assert.deepEqual(texts(), ["text 1", "same", "same"]);
  applyFrame(state, { type: "said", ref: "b", message: message(4, { author: ME, text: "same" }) }, { now });
  assert.deepEqual(texts(), ["text 1", "same", "same", "same"], "each is shown once");
  assert.equal(conversation(state, GENERAL).unread, 0);
});
