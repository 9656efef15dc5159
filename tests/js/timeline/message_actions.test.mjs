import assert from "node:assert/strict";
import test from "node:test";
import { menuOf, messageActions, runMessageAction } from "../../../static/js/timeline/message_actions.js";
import { ANA, message } from "../frames.mjs";

const rowOf = (fields) => ({
  type: "message",
  key: "m:id1",
  message: message(1),
  isPending: false,
  isOwn: false,
  isShared: false,
  code: null,
  ref: null,
  ...fields,
});

/** An app that notes what is asked of it. */
function appOf() {
  const done = [];
  const note =
    (name) =>
    (...args) =>
      done.push([name, ...args]);
  const outbox = { retry: note("retry"), discard: note("discard") };
  return { done, outbox, composer: { focus() {} }, toggleUnfolded: note("unfold"), openDialog: note("open") };
}

test("an unknown action throws and deletes nothing", () => {
  const app = appOf();
  assert.throws(() => runMessageAction("delte", rowOf({ code: "failed", ref: "r1" }), app), /delte/);
  assert.deepEqual(app.done, []);
});

test("an action is done only with a row that it fits", () => {
  const app = appOf();
  runMessageAction("discard", rowOf({ ref: "r1", code: "waiting", isPending: true }), app);
  assert.deepEqual(app.done, []);
  runMessageAction("discard", rowOf({ ref: "r1", code: "failed", isPending: true }), app);
  runMessageAction("profile", rowOf({}), app);
  assert.deepEqual(app.done, [
    ["discard", "r1"],
    ["open", "profile", ANA],
  ]);
});

test("the menu offers what fits the row", () => {
  const ids = (row) => menuOf(row, appOf()).map(({ id }) => id);
  assert.deepEqual(ids(rowOf({})), ["copy", "link", "profile"]);
  assert.deepEqual(ids(rowOf({ isOwn: true, code: "all" })), ["copy", "link", "profile", "receipts"]);
  assert.deepEqual(ids(rowOf({ isOwn: true, isPending: true, code: "waiting" })), ["copy"]);
  assert.deepEqual(ids(rowOf({ isOwn: true, isPending: true, code: "failed" })), ["retry", "copy", "discard"]);
});

test("a feature's action is in the menu and found by its id", () => {
  const app = appOf();
  messageActions.push({ id: "wave", label: () => "Wave", when: () => true, run: (row) => app.done.push(row.key) });
  assert.deepEqual(
    menuOf(rowOf({}), app).map(({ id }) => id),
    ["copy", "link", "wave", "profile"],
    "in its group",
  );
  runMessageAction("wave", rowOf({}), app);
  assert.deepEqual(app.done, ["m:id1"]);
  messageActions.pop();
});
