import assert from "node:assert/strict";
import test from "node:test";
import { conversation, directId } from "../../../static/js/model/conversations.js";
import { applyFrame } from "../../../static/js/model/frames.js";
import { createState } from "../../../static/js/model/state.js";
import { lineOf } from "../../../static/js/timeline/copy_messages.js";
import { find, fits, parseSearch, piecesOf, scopeOf } from "../../../static/js/dialogs/search.js";
import { matching, placesOf } from "../../../static/js/dialogs/switcher.js";
import { ANA, BEN, ME, T0, member, message, welcome } from "../frames.mjs";

const now = T0 + 3_600_000;

function room() {
  const state = createState();
  const conversations = [
    { channel: "general", unread: 0, read: 9 },
    { channel: "lunch", unread: 2, read: 0 },
    { channel: "old", unread: 0, read: 0 },
  ];
  applyFrame(
    state,
    welcome([message(1), message(2, { channel: "lunch" }), message(3, { channel: "lunch" })], { conversations }),
    { now },
  );
  return state;
}

test("places: unread first, then by what was said last, then people, then commands", () => {
  const places = placesOf(room());
  assert.deepEqual(
    places.slice(0, 5).map(({ label }) => label),
    ["# lunch", "# general", "# old", "Ana", "Ben"],
  );
  assert.ok(places.some(({ command }) => command === "help"));
  assert.ok(!places.some(({ id }) => id === directId(ME)), "nobody writes to oneself");
});

test("typing finds the beginning of a name before its middle, commands too", () => {
  const labels = (typed) => matching(placesOf(room()), typed).map(({ label }) => label);
  assert.deepEqual(labels("#lu"), ["# lunch"]);
  assert.deepEqual(labels("be"), ["Ben", "/members"]);
  assert.ok(!labels("").includes("/help"));
  assert.deepEqual(labels("zzz"), []);
});

test("of many places so many are offered", () => {
  const state = room();
  for (let i = 0; i < 500; i += 1) conversation(state, `c:channel ${i}`).exists = true;
  assert.equal(matching(placesOf(state), "channel 4").length, 50);
});

test("a search is words and filters", () => {
  for (const [text, words, filters] of [
    ["red apple", "red apple", {}],
    ["from:ana  red in:lunch apple", "red apple", { from: "ana", in: "lunch" }],
    ['from:"Ana Bell" x', "x", { from: "Ana Bell" }],
    ["http://from:x", "http://from:x", {}],
    ["before:2026-11-22", "", { before: "2026-11-22" }],
  ]) {
    assert.deepEqual(parseSearch(text), { words, filters }, text);
  }
});

test("who and where is asked of the node, in its own words", () => {
  const state = room();
  applyFrame(state, { type: "member", member: member("dd".repeat(32), "ANA", { short: "dddddddd" }) }, { now });
  const context = {
    state,
    members: [
      member(ANA, "Ana", { short: "abcdefgh" }),
      member("dd".repeat(32), "ANA", { short: "dddddddd" }),
      member(BEN, "Ben", { short: "benbenbe" }),
    ],
  };
  for (const [filters, expected] of [
    [{}, { params: {}, authors: null }],
    [{ from: "ben" }, { params: { from: BEN }, authors: null }],
    [{ from: "ana" }, { params: {}, authors: [ANA, "dd".repeat(32)] }],
    [{ from: "abcd" }, { params: { from: ANA }, authors: null }],
    [{ from: "zoe" }, null],
    [{ in: "#Lunch" }, { params: { channel: "lunch" }, authors: null }],
    [{ in: "nowhere" }, null],
    [
      { in: "general", from: "ben" },
      { params: { from: BEN, channel: "general" }, authors: null },
    ],
  ]) {
    assert.deepEqual(scopeOf(filters, context), expected, JSON.stringify(filters));
  }
});

/** A node that holds `all`, oldest first, and finds every message that has the word. */
function nodeOf(all, asked = []) {
  return async (path) => {
    const [where, query] = path.split("?");
    const { q, before, limit } = Object.fromEntries(new URLSearchParams(query));
    asked.push(path);
    const older = all.filter(
      (m) => (before === undefined || m.order < before) && (q === undefined || m.text.includes(q)),
    );
    const page = older.slice(-Number(limit));
    const rest = page.length < older.length ? page[0].order : null;
    if (where.endsWith("/search"))
      return {
        hits: page.toReversed().map((message) => ({ message, ranges: [[0, 1]] })),
        ...(rest && { before: rest }),
      };
    return { messages: page, before: rest };
  };
}

test("filters without a word list the newest that fit, and a word searches", async () => {
  const all = Array.from({ length: 1_200 }, (_, i) => message(i + 1, { author: i % 400 === 0 ? BEN : ANA }));
  const asked = [];
  const of = async (words, filters, scope) => find(nodeOf(all, asked), { words, filters, scope }, () => false);
  const ids = ({ found }) => found.map((hit) => hit.message.id);

  const bens = await of("", { from: "ben" }, { params: { from: BEN, channel: "general" }, authors: null });
  assert.deepEqual([ids(bens), bens.isWhole], [["id801", "id401", "id1"], true]);
  assert.ok(
    asked.every((path) => path.startsWith("/api/v1/messages?limit=500&channel=general") && !path.includes("from=")),
    asked.join(" "),
  );
  asked.length = 0;
  const here = await of("", { in: "general" }, { params: { channel: "general" }, authors: null });
  assert.deepEqual(
    [here.found.length, here.found[0].message.id, here.found[0].ranges, asked.length],
    [50, "id1200", [], 1],
  );
  asked.length = 0;
  const worded = await of("text 40", { from: "ben" }, { params: { from: BEN }, authors: null });
  assert.ok(asked[0].startsWith("/api/v1/search?q=text+40&limit=50&from=") && worded.found.length > 0, asked[0]);
});

test("what was not looked through to its end is not called everything", async () => {
  const all = Array.from({ length: 6_000 }, (_, i) => message(i + 1, { author: i < 3 ? BEN : ANA }));
  const rare = await find(
    nodeOf(all),
    { words: "", filters: {}, scope: { params: { from: BEN }, authors: null } },
    () => false,
  );
  assert.deepEqual(rare, { found: [], isWhole: false });
});

test("days are those of the reader", () => {
  const hit = message(5, { channel: "lunch", time: "2026-11-22T12:00:00Z" });
  for (const [filters, expected] of [
    [{}, true],
    [{ before: "2026-11-24" }, true],
    [{ before: "2026-11-21" }, false],
    [{ after: "2026-11-20" }, true],
    [{ after: "2026-11-23" }, false],
    [{ after: "nonsense" }, false],
  ]) {
    assert.equal(fits(hit, filters), expected, JSON.stringify(filters));
  }
  assert.deepEqual([fits(hit, {}, [ANA]), fits(hit, {}, [BEN])], [true, false], "of several who bear one name");
});

test("a hit shows its marks, from a little before the first, and loses nothing after it", () => {
  assert.deepEqual(piecesOf("red apple", [[4, 9]]), [
    { text: "red ", isMarked: false },
    { text: "apple", isMarked: true },
  ]);
  const long = `${"word ".repeat(40)}apple and pear`;
  const pieces = piecesOf(long, [
    [200, 205],
    [210, 214],
  ]);
  assert.equal(pieces[0].text, "… ");
  assert.deepEqual(
    pieces.filter((p) => p.isMarked).map((p) => p.text),
    ["apple", "pear"],
  );
  assert.ok(pieces[1].text.length <= 60);
  assert.equal(piecesOf("x".repeat(100) + "apple", [[100, 105]]).filter((p) => p.isMarked)[0].text, "apple");
});

test("what is copied reads as a transcript", () => {
  const row = { isShared: false, message: { at: T0, author: ANA, name: "Ana", text: "hello" } };
  assert.match(lineOf(row), /^\[\d.*\] Ana: hello$/);
  assert.match(lineOf({ ...row, isShared: true }), /Ana [a-z2-7]{8}: hello$/);
});
