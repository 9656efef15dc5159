import assert from "node:assert/strict";
import test from "node:test";
import { setRowPart } from "../../../static/js/timeline/message_row.js";

test("a part goes into a slot that there is", () => {
  assert.throws(() => setRowPart("reaction", { same: () => true, draw() {} }), /reaction/);
});
