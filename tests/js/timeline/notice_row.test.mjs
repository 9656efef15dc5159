import assert from "node:assert/strict";
import test from "node:test";
import { drawNotice } from "../../../static/js/timeline/notice_row.js";
import { fakeDocument } from "../fake_dom.mjs";
import { ANA, BEN, notice } from "../frames.mjs";

const profilesIn = (line) =>
  line.all.filter(({ dataset }) => dataset.dialog === "profile").map(({ dataset }) => dataset.argument);

function drawn(row) {
  globalThis.document = fakeDocument;
  const line = fakeDocument.createElement("span");
  drawNotice(line, { was: null, isShared: false, namesakes: [], isAlarm: false, ...row });
  delete globalThis.document;
  return line;
}

test("the name in a notice opens the profile", () => {
  const line = drawn({ notice: notice(1, "joined") });
  assert.equal(line.textContent, "Ana joined");
  assert.deepEqual(profilesIn(line), [ANA]);
});

test("each name in a warning opens its own profile", () => {
  const line = drawn({ notice: notice(1, "conflict"), namesakes: [{ id: BEN, name: "Ana" }], isAlarm: true });
  assert.deepEqual(profilesIn(line), [ANA, BEN]);
});

test("a new name carries the id, which stays", () => {
  const line = drawn({ notice: notice(1, "renamed"), was: "Ann" });
  assert.equal(line.textContent, "Ann is now called Ana xo53xo53");
});

test("a member with the user's own name is told so", () => {
  const line = drawn({ notice: notice(1, "conflict"), namesakes: [{ id: BEN, name: "Ana" }], isOwnName: true });
  assert.equal(line.textContent, "Ana xo53xo53 has your name");
});
