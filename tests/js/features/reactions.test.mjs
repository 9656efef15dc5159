import assert from "node:assert/strict";
import test from "node:test";
import { install, namesOf, withReaction } from "../../../static/js/features/reactions.js";

import { addOperation, frameOf } from "../../../static/js/model/operations.js";
import { buildRows } from "../../../static/js/timeline/build_rows.js";
import { messageActions } from "../../../static/js/timeline/message_actions.js";
import { ANA, BEN, GENERAL, ME, message } from "../frames.mjs";
import { appWith, NOW } from "../app.mjs";

const thumbs = (...by) => [{ emoji: "👍", by }];
const app = appWith([message(1, { reactions: thumbs(ANA) }), message(2, { deleted: true, reactions: [] })]);
install(app);
const rowOf = (id) => buildRows(app.state, GENERAL, NOW).find(({ message: told }) => told?.id === id);
const action = (id) => messageActions.find((one) => one.id === id);
const click = (emoji) => action("toggleReaction").run(rowOf("id1"), app, { dataset: { emoji } });

test("a reaction is joined and left, and the last to leave takes it away", () => {
  assert.deepEqual(withReaction([], { emoji: "👍", off: false, me: ME }), thumbs(ME));
  assert.deepEqual(withReaction(thumbs(ANA), { emoji: "👍", off: false, me: ME }), thumbs(ANA, ME));
  assert.deepEqual(withReaction(thumbs(ANA, ME), { emoji: "👍", off: false, me: ME }), thumbs(ANA, ME));
  assert.deepEqual(withReaction(thumbs(ANA, ME), { emoji: "👍", off: true, me: ME }), thumbs(ANA));
  assert.deepEqual(withReaction(thumbs(ME), { emoji: "👍", off: true, me: ME }), []);
});

test("one click joins, shows it at once, and the next one leaves", () => {
  click("👍");
  const [, kind, fields] = app.asked.at(-1);
  assert.deepEqual(fields, { target: "id1", conversation: GENERAL, fields: { emoji: "👍", off: false } });
  const operation = addOperation(app.state, { ref: "r", kind, at: NOW, ...fields });
  assert.deepEqual(frameOf(operation), { ref: "r", type: "react", id: "id1", emoji: "👍" });
  assert.deepEqual(rowOf("id1").message.reactions, thumbs(ANA, ME));
  click("👍");
  const leaving = addOperation(app.state, { ref: "s", kind, at: NOW, ...app.asked.at(-1)[2] });
  assert.equal(frameOf(leaving).off, true);
  assert.deepEqual(rowOf("id1").message.reactions, thumbs(ANA));
});

test("a deleted message takes no reaction", () => {
  assert.deepEqual([action("react").when(rowOf("id1")), action("react").when(rowOf("id2"))], [true, false]);
  assert.ok(!action("reactions").when(rowOf("id2")));
});

test("the members who reacted are named, the user last", () => {
  assert.match(namesOf(app.state, [ME, ANA, BEN]), /^Ana, Ben,? and you$/);
  const many = Array.from({ length: 25 }, (_, i) => String(i).padStart(64, "0"));
  assert.match(namesOf(app.state, many), /5 others$/);
});
