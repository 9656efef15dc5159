import assert from "node:assert/strict";
import test from "node:test";

import { buildRows } from "../../../static/js/timeline/build_rows.js";
import { appWith, NOW } from "../app.mjs";
import { ANA, BEN, GENERAL, ME, member, message, welcome } from "../frames.mjs";

const members = (fields) => [member(ME, "Kai"), member(ANA, "Ana", fields), member(BEN, "Ben")];
const told = [message(1, { author: BEN }), message(2), message(3), message(4, { author: BEN }), message(5)];

/** What stands in the timeline: texts, and how many messages are hidden. */
const shown = ({ state }) =>
  buildRows(state, GENERAL, NOW)
    .filter(({ type }) => type === "message" || type === "hidden")
    .map((row) => (row.type === "hidden" ? row.n : row.message.text));

test("hidden messages are counted where they stood", () => {
  const app = appWith(told);
  const left = told.filter(({ author }) => author !== ANA);
  app.hear(welcome(left, { members: members({ blocked: true }), reset: true }));
  assert.deepEqual(shown(app), ["text 1", 2, "text 4", 1]);
});

test("messages are hidden as soon as the author is blocked", () => {
  const app = appWith(told);
  app.hear({ type: "member", member: member(ANA, "Ana", { blocked: true }) });
  assert.deepEqual(shown(app), ["text 1", 2, "text 4", 1]);
});

test("unblocking brings the messages back", () => {
  const app = appWith(told);
  const left = told.filter(({ author }) => author !== ANA);
  app.hear(welcome(left, { members: members({ blocked: true }), reset: true }));
  app.hear(welcome(told, { members: members({ blocked: false }), reset: true }));
  assert.deepEqual(shown(app), ["text 1", "text 2", "text 3", "text 4", "text 5"]);
});
