import assert from "node:assert/strict";
import test from "node:test";
import { HORIZONTAL, indexAfter, indexInGrid } from "../../../static/js/lib/roving_focus.js";

test("in a grid the arrows lead to all four sides", () => {
  const lead = (at) =>
    ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "a"].map((key) => indexInGrid(key, at, 10, 4));
  assert.deepEqual(lead(5), [4, 6, 1, 9, null]);
  assert.deepEqual(lead(0), [null, 1, null, 4, null]);
  assert.deepEqual(lead(9), [8, null, 5, null, null]);
});

test("a key leads to the next item, or means nothing", () => {
  for (const [key, at, options, expected] of [
    ["ArrowDown", 0, {}, 1],
    ["ArrowUp", 1, {}, 0],
    ["ArrowDown", 2, {}, null],
    ["ArrowUp", 0, {}, null],
    ["ArrowDown", 2, { wraps: true }, 0],
    ["ArrowUp", 0, { wraps: true }, 2],
    ["ArrowUp", -1, {}, 2],
    ["ArrowDown", -1, {}, 0],
    ["Home", 2, {}, 0],
    ["End", 0, {}, 2],
    ["ArrowRight", 0, {}, null],
    ["a", 0, {}, null],
    ["ArrowRight", 0, { keys: HORIZONTAL }, 1],
    ["ArrowLeft", 0, { keys: HORIZONTAL, wraps: true }, 2],
    ["Home", 1, { keys: HORIZONTAL }, null],
  ]) {
    assert.equal(indexAfter(key, at, 3, options), expected, `${key} at ${at} ${JSON.stringify(options)}`);
  }
  assert.equal(indexAfter("ArrowDown", -1, 0), null);
});
