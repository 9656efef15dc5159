import assert from "node:assert/strict";
import test from "node:test";
import * as State from "../../static/js/state.js";
import * as Ranges from "../../static/js/ranges.js";
import { ANA, BEN, ME, T0, member, message, notice, welcome } from "./frames.mjs";

const now = T0 + 3_600_000;

function after(frames, options = {}) {
  const state = State.create();
  for (const frame of frames) State.apply(state, frame, { now, ...options });
  return state;
}

const said = (m) => ({ type: "message", message: m });
const general = (state) => State.conversation(state, State.GENERAL);
const texts = (state, key = State.GENERAL) => State.conversation(state, key).messages.map((m) => m.text);

test("messages stand in the order of the room, however they arrive", () => {
  const state = after([welcome([message(1), message(5)]), said(message(9)), said(message(10, { place: 3, text: "late" }))]);
  assert.deepEqual(texts(state), ["text 1", "late", "text 5", "text 9"]);
});

test("a message that comes again replaces the old one and takes its new place", () => {
  const state = after([welcome([message(1), message(2), message(3)]), said(message(1, { place: 7 }))]);
  assert.deepEqual(texts(state), ["text 2", "text 3", "text 1"]);
  assert.equal(state.messages.size, 3);
});

test("each message goes to its conversation", () => {
  const state = after([welcome(), said(message(1, { to: ME })), said(message(2, { author: ME, to: ANA })), said(message(3, { channel: "builds" }))]);
  assert.deepEqual(texts(state, State.directKey(ANA)), ["text 1", "text 2"]);
  assert.deepEqual(texts(state, "c:builds"), ["text 3"]);
  assert.deepEqual(texts(state), []);
});

test("of very many channels those are listed that this reader has to do with, and the newest", () => {
  const made = Array.from({ length: 500 }, (_, i) => ({ channel: `made up ${i}`, unread: 1, read: i === 3 ? 9 : 0 }));
  const state = after([welcome([], { conversations: [...made, { with: ANA, unread: 0, read: 0 }] })]);
  State.conversation(state, "c:begun"); // Nothing was said there yet.
  const keys = State.listed(state, (key) => key === "c:made up 5");
  assert.equal(keys.length, 300);
  for (const key of ["c:general", State.directKey(ANA), "c:made up 3", "c:made up 5", "c:made up 499"]) assert.ok(keys.includes(key), key);
  for (const key of ["c:begun", "c:made up 4", "c:made up 100"]) assert.ok(!keys.includes(key), key);
  assert.ok(State.listed(state, (key) => key === "c:begun").includes("c:begun"));
  const few = after([welcome([message(1, { channel: "builds" })], { conversations: [{ channel: "builds" }] })]);
  assert.deepEqual(State.listed(few, () => false).sort(), ["c:builds", "c:general"]);
});

test("receipts grow and never go back", () => {
  const state = after([welcome([message(1, { author: ME })])]);
  const held = () => [state.messages.get("id1").held_by, general(state).messages[0].held_by];
  for (const [heldBy, expected] of [[1, 1], [2, 2], [1, 2]]) {
    State.apply(state, { type: "held", id: "id1", held_by: heldBy, of: 2 }, { now });
    assert.deepEqual(held(), [expected, expected]);
  }
  State.apply(state, said(message(1, { author: ME, held_by: 0 })), { now });
  assert.deepEqual(held(), [2, 2]);
});

test("what was heard is not changed in place, so that a view can compare", () => {
  const state = after([welcome([message(1, { author: ME })])]);
  const before = general(state).messages;
  const [first] = before;
  State.apply(state, { type: "held", id: "id1", held_by: 1, of: 2 }, { now });
  assert.notEqual(general(state).messages[0], first);
  assert.equal(first.held_by, 0);
  assert.equal(before[0], first);
});

test("the arrival number covers everything that was heard", () => {
  const state = after([welcome([message(4)]), said(message(6)), { type: "notice", notice: notice(7, "joined") }, { type: "beat", arrival: 9 }]);
  assert.equal(state.arrival, 9);
});

test("a resume adds, a reset begins anew", () => {
  const state = after([welcome([message(1), message(2)])]);
  State.apply(state, welcome([message(3), message(2)], { before: null }), { now });
  assert.deepEqual(texts(state), ["text 1", "text 2", "text 3"]);
  State.apply(state, welcome([message(8)], { run: "run-2", reset: true }), { now });
  assert.deepEqual(texts(state), ["text 8"]);
  assert.equal(state.arrival, 8);
});

test("what belongs before the loaded part waits until that part is read", () => {
  const state = after([welcome([message(50), message(51)], { before: "cursor" })]);
  State.apply(state, said(message(60, { place: 10, text: "long ago" })), { now });
  assert.deepEqual(texts(state), ["text 50", "text 51"]);
  const page = { messages: [message(60, { place: 10, text: "long ago" }), message(49)], before: null };
  assert.equal(Ranges.takeOlder(state, State.GENERAL, page, now), 2);
  assert.deepEqual(texts(state), ["long ago", "text 49", "text 50", "text 51"]);
  assert.equal(general(state).floor, null);
});

test("an older page moves the floor, and doubles nothing", () => {
  const state = after([welcome([message(50)], { before: "cursor" })]);
  assert.equal(general(state).floor, message(50).order);
  Ranges.takeOlder(state, State.GENERAL, { messages: [message(48), message(49), message(50)], before: "x" }, now);
  assert.deepEqual(texts(state), ["text 48", "text 49", "text 50"]);
  assert.equal(general(state).floor, message(48).order);
});

test("unread counts what others said while nobody looked", () => {
  const state = after([welcome([message(1)])]);
  State.markRead(state, State.GENERAL);
  State.apply(state, said(message(2)), { now });
  State.apply(state, said(message(3, { author: ME })), { now });
  State.apply(state, said(message(4)), { now });
  assert.equal(general(state).unread, 2);
  assert.equal(general(state).line, "id2");
  assert.equal(State.markRead(state, State.GENERAL), 4);
  assert.equal(general(state).unread, 0);
  assert.equal(State.markRead(state, State.GENERAL), null);
});

test("the line stays where reading stopped until everything was read", () => {
  const state = after([welcome(), said(message(1)), said(message(2))]);
  assert.equal(general(state).line, "id1");
  State.markRead(state, State.GENERAL);
  State.apply(state, said(message(3)), { now });
  assert.equal(general(state).line, "id3");
  State.clearLine(state, State.GENERAL);
  assert.equal(general(state).line, null);
});

test("opening a conversation puts the line before the first unread of others", () => {
  const conversations = [{ channel: "general", unread: 2, read: 1 }];
  const state = after([welcome([message(1), message(2, { author: ME }), message(3), message(4)], { conversations })]);
  State.openConversation(state, State.GENERAL);
  assert.equal(general(state).line, "id3");
});

test("equal names are those that a person would read as equal", () => {
  const state = after([welcome()]);
  assert.equal(State.isShared(state, "Ana"), false);
  State.apply(state, { type: "member", member: member(BEN, "ＡＮＡ") }, { now });
  assert.equal(State.isShared(state, "Ana"), true);
  assert.equal(State.isShared(state, "ana"), true);
  assert.equal(State.isShared(state, "Ann"), false);
});

test("a clock that runs ahead does not claim the future", () => {
  const state = after([welcome(), said(message(1, { time: "2099-01-01T00:00:00Z" }))]);
  assert.deepEqual([general(state).messages[0].at, general(state).messages[0].skewed], [now, true]);
  State.apply(state, said(message(1, { time: "2099-01-01T00:00:00Z", place: 4 })), { now: now + 5000 });
  assert.equal(general(state).messages[0].at, now);
});

test("what came from the future while nobody looked is told about when it arrived", () => {
  const before = message(4);
  const state = after([welcome([before, message(5, { time: new Date(now + 86_400_000).toISOString(), place: 99 })])]);
  assert.deepEqual(general(state).messages.map(({ at, skewed }) => [at, skewed]), [[Date.parse(before.time), false], [Date.parse(before.time), true]]);
});

test("an address leads back to the place it was made of", () => {
  for (const [key, id] of [["c:general", null], ["c:lunch & more/less", "ab12"], [State.directKey(ANA), null], [State.directKey(ANA), "cd34"]]) {
    assert.deepEqual(State.placeOfAddress(State.addressOf(key, id)), { key, id });
  }
});

test("notices are kept once", () => {
  const state = after([welcome(), { type: "notice", notice: notice(2, "joined") }]);
  State.apply(state, welcome([], { notices: [notice(2, "joined"), notice(3, "left")] }), { now });
  assert.deepEqual(state.notices.map((n) => n.kind), ["joined", "left"]);
});

test("who is unsure is still in reach, who is lost is not", () => {
  const state = after([welcome()]);
  assert.equal(State.othersInReach(state), 2);
  State.apply(state, { type: "member", member: member(ANA, "Ana", { state: "unsure" }) }, { now });
  State.apply(state, { type: "member", member: member(BEN, "Ben", { state: "lost" }) }, { now });
  assert.equal(State.othersInReach(state), 1);
});

test("a direct message needs its one taker, linked directly", () => {
  const state = after([welcome()]);
  const takes = () => [State.GENERAL, State.directKey(ANA)].map((key) => State.takerInReach(state, key));
  assert.deepEqual(takes(), [true, true]);
  State.apply(state, { type: "member", member: member(ANA, "Ana", { direct: false, via: BEN }) }, { now });
  assert.deepEqual(takes(), [true, false]);
});
