import assert from "node:assert/strict";
import test from "node:test";
import * as Outbox from "../../static/js/outbox.js";
import { ANA, ME, message } from "./frames.mjs";

function filled(...refs) {
  const outbox = Outbox.create();
  refs.forEach((ref, i) => Outbox.add(outbox, { ref, text: ref, key: "c:general", at: i }));
  return outbox;
}

const refs = (items) => items.map((item) => item.ref);
const status = (outbox) => outbox.items.map((item) => item.status);

test("goes out in order, once, and again after a break", () => {
  const outbox = filled("a", "b", "c");
  assert.deepEqual(refs(Outbox.due(outbox)), ["a", "b", "c"]);
  Outbox.sent(outbox, "a");
  Outbox.sent(outbox, "b");
  assert.deepEqual(refs(Outbox.due(outbox)), ["c"]);
  Outbox.answered(outbox, "a");
  Outbox.cutOff(outbox);
  assert.deepEqual(refs(Outbox.due(outbox)), ["b", "c"]);
});

test("only so many are on their way at once", () => {
  const outbox = filled(...Array.from({ length: 120 }, (_, i) => `r${i}`));
  const first = Outbox.due(outbox);
  assert.equal(first.length, 50);
  for (const { ref } of first) Outbox.sent(outbox, ref);
  assert.deepEqual(Outbox.due(outbox), []);
  Outbox.answered(outbox, "r0");
  assert.deepEqual(refs(Outbox.due(outbox)), ["r50"]);
});

test("what was refused stays until the user decides, and a break does not send it", () => {
  const outbox = filled("a");
  Outbox.sent(outbox, "a");
  Outbox.refused(outbox, "a", "disk_full", "The disk is full.");
  Outbox.cutOff(outbox);
  assert.deepEqual([status(outbox), Outbox.due(outbox), outbox.items[0].error], [["failed"], [], "The disk is full."]);
  Outbox.retry(outbox, "a");
  assert.deepEqual([status(outbox), outbox.items[0].error], [["waiting"], null]);
});

test("a node that stops refuses nothing for good", () => {
  const outbox = filled("a");
  Outbox.sent(outbox, "a");
  Outbox.refused(outbox, "a", "stopping", "Stopping.");
  assert.deepEqual(status(outbox), ["waiting"]);
});

test("each kind of conversation is told to the node in its own field", () => {
  const outbox = Outbox.create();
  const add = (fields) => Outbox.frameOf(Outbox.add(outbox, { ref: "r", text: "t", at: 0, ...fields }));
  assert.deepEqual(add({ key: "c:general" }), { type: "say", ref: "r", text: "t", channel: "general" });
  assert.deepEqual(add({ key: `d:${ANA}` }), { type: "say", ref: "r", text: "t", to: ANA });
  assert.deepEqual(add({ key: "c:general", kind: "hooray" }), { type: "command", ref: "r", name: "hooray", text: "t" });
  assert.deepEqual(add({ key: "c:general", kind: "hooray", text: "" }), { type: "command", ref: "r", name: "hooray" });
});

test("outlives a reload, as waiting, and forgets what the node has forgotten", () => {
  const outbox = filled("a", "b");
  Outbox.sent(outbox, "a");
  const month = 30 * 86_400_000;
  assert.deepEqual(status(Outbox.unpack(Outbox.pack(outbox), 10)), ["waiting", "waiting"]);
  assert.deepEqual(Outbox.unpack(Outbox.pack(outbox), month).items, []);
  assert.deepEqual(Outbox.unpack("not ours", 10).items, []);
  assert.deepEqual(Outbox.unpack(null, 10).items, []);
});

test("a message that comes back without its ref is met by what may have become it", () => {
  const outbox = filled("a", "b");
  const back = message(1, { author: ME, text: "b" });
  assert.equal(Outbox.meet(outbox, back), null); // it never went out: somebody else said the same
  Outbox.sent(outbox, "b");
  const item = Outbox.meet(outbox, back);
  assert.equal(item.ref, "b");
  item.met = back.id;
  assert.equal(Outbox.meet(outbox, message(2, { author: ME, text: "b" })), null);
});
