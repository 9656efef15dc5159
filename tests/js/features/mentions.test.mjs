import assert from "node:assert/strict";
import test from "node:test";
import { begunMention, membersLike, moveRanges, withNames } from "../../../static/js/features/mentions.js";
import { conversation } from "../../../static/js/model/conversations.js";
import { markRead, mentionsIn } from "../../../static/js/model/unread.js";
import { ANA, BEN, GENERAL, ME, member, message } from "../frames.mjs";
import { appWith } from "../app.mjs";

const ANN = "dd".repeat(32);
const members = [
  { ...member(ME, "Kai"), short: "kkkkkkkk" },
  { ...member(ANA, "Ana"), short: "aaaaaaaa" },
  { ...member(ANN, "ana"), short: "annnnnnn" },
  { ...member(BEN, "Ben Li"), short: "bbbbbbbb" },
];

test("a mention keeps its place while the text around it changes", () => {
  const ranges = [{ id: ANA, start: 3, end: 7 }];
  const move = (after) => moveRanges(ranges, "hi @Ana you", after);
  assert.deepEqual(move("oh hi @Ana you"), [{ id: ANA, start: 6, end: 10 }]);
  assert.deepEqual(move("hi @Ana and you"), ranges);
  assert.deepEqual(move("hi @Ann you"), []);
  assert.deepEqual(move("you"), []);
  assert.deepEqual(move(""), []);
});

test("names that only one member has are mentioned too", () => {
  const chosen = [{ id: ANN, start: 0, end: 4 }];
  assert.deepEqual(withNames(chosen, "@ana and @ben li, @Ana, a@kai @Kaiser", members), [
    ...chosen,
    { id: BEN, start: 9, end: 16 },
  ]);
});

test("an @ begins a name only at a word", () => {
  assert.deepEqual(begunMention("hi @be", 6), { start: 3, name: "be" });
  assert.deepEqual(begunMention("@", 1), { start: 0, name: "" });
  assert.equal(begunMention("me@here", 7), null);
  assert.equal(begunMention("@ben li", 7), null);
});

test("those who spoke last are offered first, and never the user", () => {
  const ids = (typed, speakers) => membersLike(members, typed, speakers).map(({ id }) => id);
  assert.deepEqual(ids("", [BEN, ANN, ME, ANN]), [ANN, BEN, ANA]);
  assert.deepEqual(ids("li", []), [BEN]);
  assert.deepEqual(ids("annn", []), [ANN]);
  assert.deepEqual(ids("zoe", []), []);
});

test("unread mentions are counted, also where they are not loaded", () => {
  const mentioning = (n) => message(n, { mentions: [ME] });
  const { state, hear } = appWith([message(1), mentioning(2)], {
    conversations: [{ channel: "general", unread: 2, read: 0, mentions: 1 }],
  });
  const place = conversation(state, GENERAL);
  assert.equal(mentionsIn(state, place), 1);
  hear({ type: "message", message: mentioning(3) });
  assert.equal(mentionsIn(state, place), 2);
  hear({ type: "read", channel: "general", read: 2, unread: 1, mentions: 1 });
  assert.equal(mentionsIn(state, place), 1);
  markRead(state, GENERAL);
  assert.equal(mentionsIn(state, place), 0);
  hear({ type: "read", channel: "lunch", read: 0, unread: 5, mentions: 2 });
  assert.equal(mentionsIn(state, conversation(state, "c:lunch")), 2);
});
