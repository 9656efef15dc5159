import assert from "node:assert/strict";
import test from "node:test";
import { conversation, rangeOf } from "../../../static/js/model/conversations.js";
import { applyFrame } from "../../../static/js/model/frames.js";
import { leaveDetached, takeAround, takeNewer, takeOlder } from "../../../static/js/model/message_ranges.js";
import { parseRoute } from "../../../static/js/model/routes.js";
import { createState } from "../../../static/js/model/state.js";
import { clearMarker, markRead, markSeen, unreadTotal } from "../../../static/js/model/unread.js";
import { createWatch, trackReading } from "../../../static/js/timeline/read_tracker.js";
import { GENERAL, ME, T0, message, welcome } from "../frames.mjs";

const now = T0 + 3_600_000;
const said = (m) => ({ type: "message", message: m });
const ids = (range) => range.messages.map((m) => m.id);

function after(frames, options = {}) {
  const state = createState();
  for (const frame of frames) applyFrame(state, frame, { now, ...options });
  return [state, conversation(state, GENERAL)];
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
  globalThis.document = Object.assign(new EventTarget(), {
    hasFocus: () => true,
    getElementsByTagName: () => [dialog],
  });
  let left = 1;
  const read = new Promise((seen) => {
    trackReading({
      visible: () => ["a"],
      unread: () => left,
      seen: (ids) => {
        left = 0;
        seen(ids);
      },
    }).wake();
  });
  await new Promise((looked) => setTimeout(looked)); // after the look that saw the dialog
  dialog.open = false;
  document.dispatchEvent(new Event("close"));
  assert.deepEqual(await read, ["a"]);
  delete globalThis.document;
});

test("what came late keeps the read mark below it until it was seen", () => {
  const [state, known] = after([welcome([message(1), message(5)]), said(message(6, { place: 3 })), said(message(7))]);
  markSeen(state, GENERAL, ["id1", "id5"]);
  known.unread = 2; // of the welcome nothing was unread
  assert.deepEqual(known.late, ["id6"]);
  assert.equal(markSeen(state, GENERAL, ["id7"]), null);
  assert.deepEqual([known.read, known.unread], [5, 1]);
  assert.equal(markSeen(state, GENERAL, ["id6", "id6"]), 7);
  assert.deepEqual([known.unread, known.late, known.seen.size], [0, [], 0]);
  assert.equal(markSeen(state, GENERAL, ["id6"]), null);
});

test("nothing is called read over the head of what is not loaded", () => {
  const conversations = [{ channel: "general", unread: 5, read: 1 }];
  const [state, known] = after([welcome([message(8), message(9)], { conversations, before: "x" })]);
  assert.equal(markSeen(state, GENERAL, ["id8", "id9"]), null);
  assert.equal(known.unread, 3);
  assert.equal(markRead(state, GENERAL), 9);
});

test("late is what others said for a place above, not what stands at the end", () => {
  const [, known] = after([
    welcome([message(5)]),
    said(message(6)),
    said(message(7, { author: ME, place: 2 })),
    said(message(8, { place: 1 })),
  ]);
  assert.deepEqual(known.late, ["id8"]);
});

test("at the end only late messages are new", () => {
  const [state, known] = after([welcome([message(5)]), said(message(6)), said(message(7, { place: 2 }))]);
  clearMarker(state, GENERAL);
  assert.deepEqual([unreadTotal(state), unreadTotal(state, () => true)], [2, 1]);
  assert.equal(known.unread, 2);
});

test("a part of long ago is shown by itself until it meets the newest", () => {
  const [state, known] = after([welcome([message(50), message(51)], { before: "x" })]);
  takeAround(state, GENERAL, { messages: [message(10), message(11)], before: "y" }, now);
  assert.deepEqual(ids(rangeOf(known)), ["id10", "id11"]);
  applyFrame(state, said(message(60, { place: 10 })), { now });
  applyFrame(state, said(message(61)), { now });
  assert.deepEqual(ids(known), ["id50", "id51", "id61"]);
  takeOlder(state, GENERAL, { messages: [message(9)], before: null }, now);
  assert.deepEqual(ids(rangeOf(known)).at(0), "id9");
  takeNewer(state, GENERAL, { messages: [message(12)], before: "z" }, now);
  assert.notEqual(known.detached, null);
  takeNewer(state, GENERAL, { messages: [message(49), message(50)], before: "z" }, now);
  assert.equal(known.detached, null);
  assert.equal(known.floor, null);
  assert.deepEqual(ids(known).slice(-4), ["id49", "id50", "id51", "id61"]);
});

test("leaving a part of long ago forgets it, but nothing that is shown now", () => {
  const [state, known] = after([welcome([message(50)], { before: "x" })]);
  takeAround(state, GENERAL, { messages: [message(10)], before: "y" }, now);
  leaveDetached(state, known);
  assert.deepEqual([...state.messages.keys()], ["id50"]);
  takeAround(state, GENERAL, { messages: [message(49), message(50)], before: "y" }, now);
  assert.equal(known.detached, null, "it meets the newest at once");
});

test("a receipt reaches a message wherever it is shown", () => {
  const [state, known] = after([welcome([message(50)], { before: "x" })]);
  takeAround(state, GENERAL, { messages: [message(10, { author: ME })], before: "y" }, now);
  applyFrame(state, { type: "held", id: "id10", held_by: 2, of: 2 }, { now });
  assert.equal(known.detached.messages[0].held_by, 2);
});

test("an address names a conversation, and a message in it", () => {
  for (const [fragment, id, wanted] of [
    ["", "c:first", null],
    ["#/channel/a%20b", "c:a b", null],
    ["#/channel/a%2Fb/0aff", "c:a/b", "0aff"],
    [`#/with/${ME}/0a`, `d:${ME}`, "0a"],
    ["#/channel/%E0%A4%A", "c:first", null],
    ["#/channel/x/zz", "c:first", null],
  ]) {
    assert.deepEqual(parseRoute(fragment, "c:first"), { conversation: id, message: wanted }, fragment);
  }
});
