import assert from "node:assert/strict";
import test from "node:test";
import * as Ranges from "../../static/js/ranges.js";
import { createWatch, startReading } from "../../static/js/reading.js";
import * as State from "../../static/js/state.js";
import * as Unread from "../../static/js/unread.js";
import { ME, T0, message, welcome } from "./frames.mjs";

const now = T0 + 3_600_000;
const said = (m) => ({ type: "message", message: m });
const ids = (range) => range.messages.map((m) => m.id);

function after(frames, options = {}) {
  const state = State.create();
  for (const frame of frames) State.apply(state, frame, { now, ...options });
  return [state, State.conversation(state, State.GENERAL)];
}

test("a row is read once it was in sight for half a second without a break", () => {
  const watch = createWatch();
  assert.deepEqual(watch.look(["a", "b"], 0), []);
  assert.deepEqual(watch.look(["a", "c"], 499), []);
  assert.deepEqual(watch.look(["a", "b"], 500), ["a"]);
  watch.forget();
  assert.deepEqual(watch.look(["a"], 900), []);
});

test("what a dialog covered is read once that is closed", async () => {
  const dialog = { open: true };
  globalThis.document = Object.assign(new EventTarget(), { hasFocus: () => true, getElementsByTagName: () => [dialog] });
  let left = 1;
  const read = new Promise((seen) => {
    startReading({ visible: () => ["a"], unread: () => left, seen: (ids) => { left = 0; seen(ids); } }).wake();
  });
  await new Promise((looked) => setTimeout(looked)); // after the look that saw the dialog
  dialog.open = false;
  document.dispatchEvent(new Event("close"));
  assert.deepEqual(await read, ["a"]);
  delete globalThis.document;
});

test("what came late keeps the read mark below it until it was seen", () => {
  const [state, known] = after([welcome([message(1), message(5)]), said(message(6, { place: 3 })), said(message(7))]);
  Unread.see(state, State.GENERAL, ["id1", "id5"]);
  known.unread = 2; // of the welcome nothing was unread
  assert.deepEqual(known.late, ["id6"]);
  assert.equal(Unread.see(state, State.GENERAL, ["id7"]), null);
  assert.deepEqual([known.read, known.unread], [5, 1]);
  assert.equal(Unread.see(state, State.GENERAL, ["id6", "id6"]), 7);
  assert.deepEqual([known.unread, known.late, known.seen.size], [0, [], 0]);
  assert.equal(Unread.see(state, State.GENERAL, ["id6"]), null);
});

test("nothing is called read over the head of what is not loaded", () => {
  const conversations = [{ channel: "general", unread: 5, read: 1 }];
  const [state, known] = after([welcome([message(8), message(9)], { conversations, before: "x" })]);
  assert.equal(Unread.see(state, State.GENERAL, ["id8", "id9"]), null);
  assert.equal(known.unread, 3);
  assert.equal(State.markRead(state, State.GENERAL), 9);
});

test("late is what others said for a place above, not what stands at the end", () => {
  const [, known] = after([welcome([message(5)]), said(message(6)), said(message(7, { author: ME, place: 2 })), said(message(8, { place: 1 }))]);
  assert.deepEqual(known.late, ["id8"]);
});

test("whoever reads the end has nothing new but what came late", () => {
  const [state, known] = after([welcome([message(5)]), said(message(6)), said(message(7, { place: 2 }))]);
  State.clearLine(state, State.GENERAL);
  assert.deepEqual([Unread.unreadTotal(state), Unread.unreadTotal(state, () => true)], [2, 1]);
  assert.equal(known.unread, 2);
});

test("a part of long ago is shown by itself until it meets the newest", () => {
  const [state, known] = after([welcome([message(50), message(51)], { before: "x" })]);
  Ranges.takeAround(state, State.GENERAL, { messages: [message(10), message(11)], before: "y" }, now);
  assert.deepEqual(ids(State.rangeOf(known)), ["id10", "id11"]);
  State.apply(state, said(message(60, { place: 10 })), { now });
  State.apply(state, said(message(61)), { now });
  assert.deepEqual(ids(known), ["id50", "id51", "id61"]);
  Ranges.takeOlder(state, State.GENERAL, { messages: [message(9)], before: null }, now);
  assert.deepEqual(ids(State.rangeOf(known)).at(0), "id9");
  Ranges.takeNewer(state, State.GENERAL, { messages: [message(12)], before: "z" }, now);
  assert.notEqual(known.past, null);
  Ranges.takeNewer(state, State.GENERAL, { messages: [message(49), message(50)], before: "z" }, now);
  assert.equal(known.past, null);
  assert.equal(known.floor, null);
  assert.deepEqual(ids(known).slice(-4), ["id49", "id50", "id51", "id61"]);
});

test("leaving a part of long ago forgets it, but nothing that is shown now", () => {
  const [state, known] = after([welcome([message(50)], { before: "x" })]);
  Ranges.takeAround(state, State.GENERAL, { messages: [message(10)], before: "y" }, now);
  Ranges.leavePast(state, known);
  assert.deepEqual([...state.messages.keys()], ["id50"]);
  Ranges.takeAround(state, State.GENERAL, { messages: [message(49), message(50)], before: "y" }, now);
  assert.equal(known.past, null, "it meets the newest at once");
});

test("a receipt reaches a message wherever it is shown", () => {
  const [state, known] = after([welcome([message(50)], { before: "x" })]);
  Ranges.takeAround(state, State.GENERAL, { messages: [message(10, { author: ME })], before: "y" }, now);
  State.apply(state, { type: "held", id: "id10", held_by: 2, of: 2 }, { now });
  assert.equal(known.past.messages[0].held_by, 2);
});

test("an address names a conversation, and a message in it", () => {
  for (const [fragment, key, id] of [
    ["", "c:general", null], ["#/channel/a%20b", "c:a b", null], ["#/channel/a%2Fb/0aff", "c:a/b", "0aff"], [`#/with/${ME}/0a`, `d:${ME}`, "0a"],
    ["#/channel/%E0%A4%A", "c:general", null], ["#/channel/x/zz", "c:general", null],
  ]) {
    assert.deepEqual(State.placeOfAddress(fragment), { key, id }, fragment);
  }
});
