import assert from "node:assert/strict";
import test from "node:test";
import { begunName, matchingEmoji } from "../../../static/js/features/emoji_names.js";
import { offered } from "../../../static/js/features/emoji_picker.js";

const list = [
  { emoji: "🐱", names: ["cat", "cat_face"] },
  { emoji: "👎", names: ["thumbsdown", "-1", "thumbs_down"] },
  { emoji: "👍", names: ["thumbsup", "+1", "thumbs_up"] },
  { emoji: "🎉", names: ["tada", "party_popper"] },
  { emoji: "👏", names: ["clap", "two_thumbs"] },
];

test("names that begin so come before those with such a word", () => {
  const found = matchingEmoji(list, "Thumbs", 3).map((one) => one.emoji);
  assert.deepEqual(found, ["👎", "👍", "👏"]);
  assert.deepEqual(matchingEmoji(list, "Cat Face", 8), [list[0]]);
  assert.equal(matchingEmoji(list, "t", 2).length, 2);
});

test("without a word those used last are offered first", () => {
  const all = offered(list, " ", ["🎉", "not one"]);
  assert.equal(all[0].emoji, "🎉");
  assert.equal(all.length, list.length);
});

test("a colon begins a name only at a word, and after two letters", () => {
  for (const [line, expected] of [
    [":sm", { start: 0, name: "sm" }],
    ["well (:+1", { start: 6, name: "+1" }],
    ["one\n:th", { start: 4, name: "th" }],
    [":s", null],
    ["10:30", null],
    ["http://x", null],
    ["a:smile", null],
    [":smile ", null],
  ]) {
    assert.deepEqual(begunName(line, line.length), expected, line);
  }
});
