import assert from "node:assert/strict";
import test from "node:test";
import { composerModes } from "../../../static/js/composer/modes.js";
import { install, lastOwn, textOf } from "../../../static/js/features/edit.js";

import { addOperation, frameOf } from "../../../static/js/model/operations.js";
import { buildRows } from "../../../static/js/timeline/build_rows.js";
import { messageActions } from "../../../static/js/timeline/message_actions.js";
import { GENERAL, ME, message } from "../frames.mjs";
import { appWith, NOW } from "../app.mjs";

const mine = (n, fields) => message(n, { author: ME, ...fields });

function installed(...messages) {
  const app = appWith(messages);
  install(app);
  return app;
}

const operate = ({ state }, ref, kind, fields) =>
  addOperation(state, { ref, kind, conversation: GENERAL, at: NOW, ...fields });
const rowOf = ({ state }, id) => buildRows(state, GENERAL, NOW).find(({ message: told }) => told?.id === id);

test("an edit is shown at once, and the answer to its ref ends that", () => {
  const app = installed(mine(1));
  const operation = operate(app, "r", "edit", { target: "id1", text: "better" });
  assert.deepEqual(frameOf(operation), { ref: "r", type: "edit", id: "id1", text: "better" });
  assert.equal(rowOf(app, "id1").message.text, "better");
  assert.ok(rowOf(app, "id1").message.edited);
  app.hear({ type: "done", ref: "r" });
  app.hear({ type: "message", message: mine(1, { text: "better still", edited: "2026-11-22T14:05:00Z" }) });
  assert.deepEqual([rowOf(app, "id1").message.text, app.state.operations.size], ["better still", 0]);
});

test("a refused edit shows what the message says, and why", () => {
  const app = installed(mine(1));
  operate(app, "r", "edit", { target: "id1", text: "better" });
  app.hear({ type: "error", ref: "r", error: "internal", message: "The disk is full." });
  const row = rowOf(app, "id1");
  assert.deepEqual(
    [row.message.text, row.code, row.error, row.isPending],
    ["text 1", "failed", "The disk is full.", false],
  );
});

test("the last own message that can be edited is found", () => {
  const app = installed(mine(1), mine(2), mine(3, { kind: "hooray" }), mine(4, { deleted: true }), message(5));
  assert.equal(lastOwn(app.state).id, "id2");
  operate(app, "r", "delete", { target: "id2" });
  assert.equal(lastOwn(app.state).id, "id1");
});

test("an edit begins with the text as it is, and an equal one is not sent", () => {
  const app = installed(mine(1));
  operate(app, "r", "edit", { target: "id1", text: "better" });
  assert.equal(textOf(app.state, "id1"), "better");
  composerModes.edit.submit(app, "better", { type: "edit", id: "id1" });
  assert.deepEqual(app.asked, []);
  composerModes.edit.submit(app, "best", { type: "edit", id: "id1" });
  assert.deepEqual(app.asked, [["add", "edit", { text: "best", target: "id1", conversation: GENERAL, fields: {} }]]);
});

test("only what stands and is one's own can be edited and deleted", () => {
  const app = installed(mine(1), mine(2, { deleted: true }), message(3));
  const can = (action, id) => messageActions.findLast((one) => one.id === action).when(rowOf(app, id));
  assert.deepEqual(
    ["id1", "id2", "id3"].map((id) => can("delete", id)),
    [true, false, false],
  );
  assert.ok(!can("edit", "id2"));
});

test("a deletion takes the text at once", () => {
  const app = installed(mine(1, { reactions: [{ emoji: "👍", by: [ME] }] }));
  assert.deepEqual(frameOf(operate(app, "r", "delete", { target: "id1" })), { ref: "r", type: "delete", id: "id1" });
  const { deleted, text, reactions } = rowOf(app, "id1").message;
  assert.deepEqual([deleted, text, reactions], [true, "", []]);
});

test("an older node is named once, and the text comes back", () => {
  const app = installed(mine(1));
  const refuse = (ref) => app.hear({ type: "error", ref, error: "unknown_type", message: "unknown" });
  operate(app, "a", "edit", { target: "id1", text: "better" });
  refuse("a");
  assert.deepEqual(
    app.asked.map(([name]) => name),
    ["hint", "discard", "enter"],
  );
  assert.deepEqual(app.asked[2][1], { type: "edit", id: "id1", text: "better" });
  app.composer.text = "something else";
  operate(app, "b", "edit", { target: "id1", text: "best" });
  refuse("b");
  assert.deepEqual(
    app.asked.slice(3).map(([name]) => name),
    ["announce"],
  );
  assert.equal(rowOf(app, "id1").code, "failed");
});
