import assert from "node:assert/strict";
import test from "node:test";
import { composerModes } from "../../../static/js/composer/modes.js";
import { install, quoteOf } from "../../../static/js/features/reply.js";
import { buildRows, sameRow } from "../../../static/js/timeline/build_rows.js";
import { messageActions } from "../../../static/js/timeline/message_actions.js";
import { ANA, GENERAL, message } from "../frames.mjs";
import { appWith, NOW } from "../app.mjs";

const told = { id: "far", author: ANA, name: "Ana", text: "long ago", deleted: false };
const { state, ...app } = appWith([message(1, { text: "x".repeat(200) }), message(2, { reply_to: "id1" })]);
install({ state, ...app });
const rows = () => buildRows(state, GENERAL, NOW).filter(({ type }) => type === "message");

test("a reply quotes what is loaded, what the node tells, or says that it is not here", () => {
  assert.deepEqual(quoteOf({ reply_to: "id1" }, state), {
    id: "id1",
    author: ANA,
    name: "Ana",
    text: "x".repeat(140),
    deleted: false,
  });
  assert.equal(quoteOf({ reply_to: "far", reply: told }, state), told);
  assert.equal(quoteOf({ reply_to: "far", reply: null }, state).name, null);
  assert.equal(quoteOf({ reply_to: null, reply: null }, state), null);
});

test("a quote is drawn again only when what it quotes changed", () => {
  const [, before] = rows();
  assert.ok(sameRow(before, rows()[1]));
  app.hear({ type: "message", message: message(1, { text: "", deleted: true }) });
  const [, after] = rows();
  assert.ok(!sameRow(before, after));
  assert.ok(after.quote.deleted);
});

test("a reply names the message, and a deleted one has none", () => {
  const reply = messageActions.find(({ id }) => id === "reply");
  const [deleted, row] = rows();
  assert.ok(!reply.when(deleted) && reply.when(row));
  reply.run(row, app);
  assert.deepEqual(app.asked.at(-1), ["enter", { type: "reply", id: "id2" }]);
  composerModes.reply.submit(app, "yes", { type: "reply", id: "id2" });
  assert.deepEqual(app.asked.at(-1), ["say", "yes", { fields: { reply_to: "id2" } }]);
});

test("a quote follows a message that is not loaded", () => {
  const reply = { id: "old", author: ANA, name: "Ana", text: "shuold", deleted: false };
  const app = appWith([message(5, { reply_to: "old", reply })]);
  const quoted = () => quoteOf(app.state.messages.get("id5"), app.state);
  const told = message(1, { id: "old", text: "should", edited: "2026-11-22T15:00:00Z" });
  const state = app.state.conversations.get(GENERAL);
  state.floor = message(5).order;
  app.hear({ type: "message", message: told });
  assert.equal(app.state.messages.has("old"), false, "it stays unloaded");
  assert.equal(quoted().text, "should");
  app.hear({ type: "message", message: { ...told, text: "", edited: null, deleted: true } });
  assert.deepEqual([quoted().text, quoted().deleted], ["", true]);
});
