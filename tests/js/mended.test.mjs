import assert from "node:assert/strict";
import test from "node:test";
import { keepRead, mendedToTell } from "../../static/js/view/mended.js";

test("a repair is told until it was read, and the next one again", () => {
  const node = { mended_at: "2026-11-25T12:00:00Z", mended: "The history of this room was damaged." };
  assert.equal(mendedToTell({ ...node, mended: null }), null);
  assert.equal(mendedToTell({ started: node.mended_at }), null, "a node of an older build");
  assert.equal(mendedToTell(node), node.mended);
  keepRead(node);
  assert.equal(mendedToTell(node), null);
  const more = `${node.mended} The disk changed a message.`;
  assert.equal(mendedToTell({ ...node, mended: more }), more);
  assert.equal(mendedToTell({ ...node, mended_at: "2026-11-26T12:00:00Z" }), node.mended);
  keepRead({ ...node, mended: more });
  assert.equal(mendedToTell({ ...node, mended: "The disk changed a message." }), null, "the older of two is told no more");
});
