import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";
import {
  channelId,
  conversation,
  conversationName,
  directId,
  listedConversations,
} from "../../../static/js/model/conversations.js";
import { applyFrame, frames } from "../../../static/js/model/frames.js";
import { hasReachableRecipient, othersInReach } from "../../../static/js/model/members/members.js";
import { takeOlder } from "../../../static/js/model/message_ranges.js";
import { isShared } from "../../../static/js/model/members/name_index.js";
import { addressOf, openRoute, parseRoute, seenFromHere } from "../../../static/js/model/routes.js";
import { shortOf } from "../../../static/js/lib/member_name.js";
import { createState } from "../../../static/js/model/state.js";
import { addOperation } from "../../../static/js/model/operations.js";
import { draftOf, setDraft } from "../../../static/js/model/storage/drafts.js";
import { clearMarker, markRead } from "../../../static/js/model/unread.js";
import { ANA, BEN, GENERAL, ME, T0, member, message, notice, welcome } from "../frames.mjs";

const now = T0 + 3_600_000;

function after(frames, options = {}) {
  const state = createState();
  for (const frame of frames) applyFrame(state, frame, { now, ...options });
  return state;
}

const said = (m) => ({ type: "message", message: m });
const general = (state) => conversation(state, GENERAL);
const texts = (state, key = GENERAL) => conversation(state, key).messages.map((m) => m.text);

test("messages stand in the order of the room, however they arrive", () => {
  const state = after([
    welcome([message(1), message(5)]),
    said(message(9)),
    said(message(10, { place: 3, text: "late" })),
  ]);
  assert.deepEqual(texts(state), ["text 1", "late", "text 5", "text 9"]);
});

test("a message that comes again replaces the old one and takes its new place", () => {
  const state = after([welcome([message(1), message(2), message(3)]), said(message(1, { place: 7 }))]);
  assert.deepEqual(texts(state), ["text 2", "text 3", "text 1"]);
  assert.equal(state.messages.size, 3);
});

test("each message goes to its conversation", () => {
  const state = after([
    welcome(),
    said(message(1, { to: ME })),
    said(message(2, { author: ME, to: ANA })),
    said(message(3, { channel: "builds" })),
  ]);
  assert.deepEqual(texts(state, directId(ANA)), ["text 1", "text 2"]);
  assert.deepEqual(texts(state, "c:builds"), ["text 3"]);
  assert.deepEqual(texts(state), []);
});

test("of very many channels those are listed that this reader has to do with, and the newest", () => {
  const made = Array.from({ length: 500 }, (_, i) => ({ channel: `made up ${i}`, unread: 1, read: i === 3 ? 9 : 0 }));
  const state = after([welcome([], { conversations: [...made, { with: ANA, unread: 0, read: 0 }] })]);
  conversation(state, "c:begun"); // Nothing was said there yet.
  const keys = listedConversations(state, (key) => key === "c:made up 5");
  assert.equal(keys.length, 300);
  for (const key of ["c:general", directId(ANA), "c:made up 3", "c:made up 5", "c:made up 499"])
    assert.ok(keys.includes(key), key);
  for (const key of ["c:begun", "c:made up 4", "c:made up 100"]) assert.ok(!keys.includes(key), key);
  assert.ok(listedConversations(state, (key) => key === "c:begun").includes("c:begun"));
  const few = after([welcome([message(1, { channel: "builds" })], { conversations: [{ channel: "builds" }] })]);
  assert.deepEqual(listedConversations(few, () => false).sort(), ["c:builds", "c:general"]);
});

test("receipts grow and never go back", () => {
  const state = after([welcome([message(1, { author: ME })])]);
  const held = () => [state.messages.get("id1").held_by, general(state).messages[0].held_by];
  for (const [heldBy, expected] of [
    [1, 1],
    [2, 2],
    [1, 2],
  ]) {
    applyFrame(state, { type: "held", id: "id1", held_by: heldBy, of: 2 }, { now });
    assert.deepEqual(held(), [expected, expected]);
  }
  applyFrame(state, said(message(1, { author: ME, held_by: 0 })), { now });
  assert.deepEqual(held(), [2, 2]);
});

test("what was heard is not changed in place, so that a view can compare", () => {
  const state = after([welcome([message(1, { author: ME })])]);
  const before = general(state).messages;
  const [first] = before;
  applyFrame(state, { type: "held", id: "id1", held_by: 1, of: 2 }, { now });
  assert.notEqual(general(state).messages[0], first);
  assert.equal(first.held_by, 0);
  assert.equal(before[0], first);
});

test("the arrival number covers everything that was heard", () => {
  const state = after([
    welcome([message(4)]),
    said(message(6)),
    { type: "notice", notice: notice(7, "joined") },
    { type: "beat", arrival: 9 },
  ]);
  assert.equal(state.session.arrival, 9);
});

test("a resume adds, a reset begins anew", () => {
  const state = after([welcome([message(1), message(2)])]);
  applyFrame(state, welcome([message(3), message(2)], { before: null }), { now });
  assert.deepEqual(texts(state), ["text 1", "text 2", "text 3"]);
  applyFrame(state, welcome([message(8)], { run: "run-2", reset: true }), { now });
  assert.deepEqual(texts(state), ["text 8"]);
  assert.equal(state.session.arrival, 8);
});

test("what belongs before the loaded part waits until that part is read", () => {
  const state = after([welcome([message(50), message(51)], { before: "cursor" })]);
  applyFrame(state, said(message(60, { place: 10, text: "long ago" })), { now });
  assert.deepEqual(texts(state), ["text 50", "text 51"]);
  const page = { messages: [message(60, { place: 10, text: "long ago" }), message(49)], before: null };
  assert.equal(takeOlder(state, GENERAL, page, now), 2);
  assert.deepEqual(texts(state), ["long ago", "text 49", "text 50", "text 51"]);
  assert.equal(general(state).floor, null);
});

test("an older page moves the floor, and doubles nothing", () => {
  const state = after([welcome([message(50)], { before: "cursor" })]);
  assert.equal(general(state).floor, message(50).order);
  takeOlder(state, GENERAL, { messages: [message(48), message(49), message(50)], before: "x" }, now);
  assert.deepEqual(texts(state), ["text 48", "text 49", "text 50"]);
  assert.equal(general(state).floor, message(48).order);
});

test("unread counts what others said while the page was not attended", () => {
  const state = after([welcome([message(1)])]);
  markRead(state, GENERAL);
  applyFrame(state, said(message(2)), { now });
  applyFrame(state, said(message(3, { author: ME })), { now });
  applyFrame(state, said(message(4)), { now });
  assert.equal(general(state).unread, 2);
  assert.equal(general(state).marker, "id2");
  assert.equal(markRead(state, GENERAL), 4);
  assert.equal(general(state).unread, 0);
  assert.equal(markRead(state, GENERAL), null);
});

test("the line stays where reading stopped until everything was read", () => {
  const state = after([welcome(), said(message(1)), said(message(2))]);
  assert.equal(general(state).marker, "id1");
  markRead(state, GENERAL);
  applyFrame(state, said(message(3)), { now });
  assert.equal(general(state).marker, "id3");
  clearMarker(state, GENERAL);
  assert.equal(general(state).marker, null);
});

test("opening a conversation puts the line before the first unread of others", () => {
  const conversations = [{ channel: "general", unread: 2, read: 1 }];
  const state = after([welcome([message(1), message(2, { author: ME }), message(3), message(4)], { conversations })]);
  openRoute(state, { conversation: GENERAL });
  assert.equal(general(state).marker, "id3");
});

test("equal names are those that a person would read as equal", () => {
  const state = after([welcome()]);
  assert.equal(isShared(state, "Ana"), false);
  applyFrame(state, { type: "member", member: member(BEN, "ＡＮＡ") }, { now });
  assert.equal(isShared(state, "Ana"), true);
  assert.equal(isShared(state, "ana"), true);
  assert.equal(isShared(state, "Ann"), false);
});

test("a clock that runs ahead does not claim the future", () => {
  const state = after([welcome(), said(message(1, { time: "2099-01-01T00:00:00Z" }))]);
  assert.deepEqual([general(state).messages[0].at, general(state).messages[0].skewed], [now, true]);
  applyFrame(state, said(message(1, { time: "2099-01-01T00:00:00Z", place: 4 })), { now: now + 5000 });
  assert.equal(general(state).messages[0].at, now);
});

test("a message from the future counts from its arrival", () => {
  const before = message(4);
  const state = after([welcome([before, message(5, { time: new Date(now + 86_400_000).toISOString(), place: 99 })])]);
  assert.deepEqual(
    general(state).messages.map(({ at, skewed }) => [at, skewed]),
    [
      [Date.parse(before.time), false],
      [Date.parse(before.time), true],
    ],
  );
});

test("an address leads back to the place it was made of", () => {
  for (const [id, wanted] of [
    ["c:general", null],
    ["c:lunch & more/less", "ab12"],
    [directId(ANA), null],
    [directId(ANA), "cd34"],
  ]) {
    assert.deepEqual(parseRoute(addressOf(id, wanted)), { conversation: id, message: wanted });
  }
});

test("a member who is not listed is called by the short id", () => {
  const state = after([welcome()]);
  const unknown = "0123456789".repeat(7).slice(0, 64);
  assert.equal(conversationName(state, directId(unknown)), shortOf(unknown));
  assert.equal(conversationName(state, directId(ANA)), "Ana");
});

test("what another tab has read is counted by the node", () => {
  const conversations = [{ channel: "general", unread: 500, read: 1 }];
  const state = after([welcome([message(600)], { conversations, before: "x" })]);
  applyFrame(state, { type: "read", channel: "general", read: 400, unread: 200 }, { now });
  assert.equal(general(state).unread, 200, "also of messages that are not loaded");
  applyFrame(state, { type: "read", channel: "general", read: 600 }, { now });
  assert.equal(general(state).unread, 0, "a node that does not say it");
});

test("a change of a message that is not loaded is no news", () => {
  const state = after([welcome([message(50), message(51)], { before: "cursor" })]);
  const told = [];
  const emit = (event) => told.push(event);
  applyFrame(state, said(message(10, { text: "changed" })), { now, emit });
  assert.deepEqual([general(state).unread, told], [0, []]);
  applyFrame(state, said(message(52)), { now, emit });
  assert.deepEqual([general(state).unread, told], [1, ["message"]]);
});

test("a feature handles frames of its own and says what it changed", () => {
  frames.on("wave", (state, { id }) => {
    state.waves = [...(state.waves ?? []), id];
    return ["waves"];
  });
  const state = after([welcome()]);
  assert.deepEqual([...applyFrame(state, { type: "wave", id: ANA }, { now })], ["waves"]);
  assert.deepEqual(state.waves, [ANA]);
  assert.deepEqual([...applyFrame(state, { type: "of a newer node" }, { now })], []);
});

test("notices are kept once", () => {
  const state = after([welcome(), { type: "notice", notice: notice(2, "joined") }]);
  applyFrame(state, welcome([], { notices: [notice(2, "joined"), notice(3, "left")] }), { now });
  assert.deepEqual(
    state.notices.map((n) => n.kind),
    ["joined", "left"],
  );
});

test("who is unsure is still in reach, who is lost is not", () => {
  const state = after([welcome()]);
  assert.equal(othersInReach(state), 2);
  applyFrame(state, { type: "member", member: member(ANA, "Ana", { state: "unsure" }) }, { now });
  applyFrame(state, { type: "member", member: member(BEN, "Ben", { state: "lost" }) }, { now });
  assert.equal(othersInReach(state), 1);
});

test("a direct message needs its one taker, linked directly", () => {
  const state = after([welcome()]);
  const takes = () => [GENERAL, directId(ANA)].map((key) => hasReachableRecipient(state, key));
  assert.deepEqual(takes(), [true, true]);
  applyFrame(state, { type: "member", member: member(ANA, "Ana", { direct: false, via: BEN }) }, { now });
  assert.deepEqual(takes(), [true, false]);
});

test("only the model changes the state", () => {
  const top = new URL("../../../static/js/", import.meta.url);
  const modules = readdirSync(top, { recursive: true }).filter(
    (path) => path.endsWith(".js") && !path.startsWith("model/"),
  );
  assert.ok(modules.length > 40, "the search itself finds them");
  const changes = [
    /\bstate(\.\w+)+(\[[^\]]+\])? (\|\||&&|\?\?|[-+*/])?= /,
    /\bstate(\.\w+)+\.(set|add|delete|clear|push|splice)\(/,
    /\bdelete state\b/,
  ];
  for (const change of changes) {
    for (const path of modules) assert.doesNotMatch(readFileSync(new URL(path, top), "utf8"), change, path);
  }
  assert.match("state.ui.open = true", changes[0]);
  assert.match("state.drafts.set(id, text)", changes[1]);
});

test("the other member's link leads to the same conversation", () => {
  const state = after([welcome([message(1, { to: ME }), message(2)])]);
  assert.equal(seenFromHere(state, directId(ME), "id1"), directId(ANA));
  assert.equal(seenFromHere(state, GENERAL, "id2"), GENERAL);
  assert.equal(seenFromHere(state, directId(BEN), "id9"), directId(BEN));
});

test("what is done before the node has named its channel belongs there", () => {
  const state = createState();
  openRoute(state, parseRoute(""));
  setDraft(state, state.route.conversation, "begun");
  addOperation(state, { ref: "r", kind: "say", conversation: state.route.conversation, text: "hi", at: now });
  applyFrame(state, { ...welcome(), defaults: { channel: "attic" }, conversations: [] }, { now });
  const id = channelId("attic");
  assert.deepEqual(
    [state.route.conversation, state.operations.get("r").conversation, draftOf(state, id)],
    [id, id, "begun"],
  );
  assert.deepEqual([...state.conversations.keys()], [id]);
  assert.deepEqual(state.opened, [id]);
});
