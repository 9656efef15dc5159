import assert from "node:assert/strict";
import test from "node:test";
import { keepRead, mendedToTell } from "../../static/js/view/mended.js";

test("what was mended is told in the node's words until it was read, and again when something else is or it starts anew", () => {
  const node = { started: "2026-11-25T12:00:00Z", mended: "The history of this room was damaged." };
  assert.equal(mendedToTell({ ...node, mended: null }), null);
  assert.equal(mendedToTell({ started: node.started }), null, "a node of an older build");
  assert.equal(mendedToTell(node), node.mended);
  keepRead(node);
  assert.equal(mendedToTell(node), null);
  const more = `${node.mended} The disk changed a message.`;
  assert.equal(mendedToTell({ ...node, mended: more }), more);
  assert.equal(mendedToTell({ ...node, started: "2026-11-26T12:00:00Z" }), node.mended);
});
