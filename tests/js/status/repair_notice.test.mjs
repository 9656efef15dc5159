import assert from "node:assert/strict";
import test from "node:test";
import { keepRead, repairToTell } from "../../../static/js/status/repair_notice.js";

test("a repair is told until it was read, and the next one again", () => {
  const node = { mended_at: "2026-11-25T12:00:00Z", mended: "The history of this room was damaged." };
  assert.equal(repairToTell({ ...node, mended: null }), null);
  assert.equal(repairToTell({ started: node.mended_at }), null, "a node of an older build");
  assert.equal(repairToTell(node), node.mended);
  keepRead(node);
  assert.equal(repairToTell(node), null);
  const more = `${node.mended} The disk changed a message.`;
  assert.equal(repairToTell({ ...node, mended: more }), more);
  assert.equal(repairToTell({ ...node, mended_at: "2026-11-26T12:00:00Z" }), node.mended);
  keepRead({ ...node, mended: more });
  assert.equal(
    repairToTell({ ...node, mended: "The disk changed a message." }),
    null,
    "the older of two is told no more",
  );
});
