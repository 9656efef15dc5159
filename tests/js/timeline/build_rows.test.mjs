import assert from "node:assert/strict";
import test from "node:test";

process.env.TZ = "UTC";
const { conversation } = await import("../../../static/js/model/conversations.js");
const { applyFrame } = await import("../../../static/js/model/frames.js");
const { createState } = await import("../../../static/js/model/state.js");
const { setConnection } = await import("../../../static/js/model/session.js");
const { setHint } = await import("../../../static/js/model/hints.js");
const { toggleUnfolded } = await import("../../../static/js/model/ui.js");
const { addOperation, markDone, markRefused, markSent, operationKinds } = await import(
  "../../../static/js/model/operations.js"
);
const { buildRows, delivery, sameRow, waiting } = await import("../../../static/js/timeline/build_rows.js");
const { summarise } = await import("../../../static/js/timeline/fold_notices.js");
const { ANA, BEN, GENERAL, ME, T0, member, message, notice, welcome } = await import("../frames.mjs");

const now = T0 + 86_400_000;
const minutes = (n) => new Date(T0 + n * 60_000).toISOString();

function rowsOf(messages, options = {}) {
  const {
    reachable = true,
    notices = [],
    pending = [],
    hint = null,
    line = null,
    unfolded = [],
    before = null,
    setup,
  } = options;
  const state = createState();
  const others = reachable ? "online" : "left";
  const members = [member(ME, "Kai"), member(ANA, "Ana", { state: others }), member(BEN, "Ben", { state: others })];
  applyFrame(state, welcome(messages, { notices, before, members }), { now });
  setConnection(state, { phase: "open" });
  setup?.(state);
  conversation(state, GENERAL).marker = line;
  for (const fields of pending) addOperation(state, { kind: "say", conversation: GENERAL, at: now, ...fields });
  if (hint) setHint(state, GENERAL, hint);
  for (const key of unfolded) toggleUnfolded(state, key);
  return buildRows(state, GENERAL, now);
}

const types = (rows) => rows.map((row) => (row.type === "message" ? (row.isHead ? "head" : "message") : row.type));

test("a header is left out when the same key spoke within five minutes", () => {
  for (const [second, expected] of [
    [{ time: minutes(4) }, "message"],
    [{ time: minutes(6) }, "head"],
    [{ time: minutes(4), author: BEN }, "head"],
    [{ time: minutes(4), author: BEN, name: "Ana" }, "head"], // one name, two keys
    [{ time: minutes(4), kind: "hooray" }, "head"],
    [{ time: minutes(4), name: "Anna" }, "head"], // renamed in between
  ]) {
    const rows = rowsOf([message(1, { time: minutes(0) }), message(2, second)]);
    assert.deepEqual(types(rows), ["begin", "day", "head", expected], JSON.stringify(second));
  }
});

test("a hint that belongs before a message stands there, whatever the clocks say, and goes where the message is not", () => {
  const said = [message(1, { time: minutes(3) }), message(2, { time: minutes(1) }), message(3, { time: minutes(2) })];
  const hint = (before) => ({ id: "1", at: now, text: "…", before, actions: [] });
  assert.deepEqual(types(rowsOf(said, { hint: hint("id2") })), ["begin", "day", "head", "hint", "head", "message"]);
  assert.deepEqual(types(rowsOf(said, { hint: hint("id1") })), ["begin", "hint", "day", "head", "message", "message"]);
  assert.ok(!types(rowsOf(said, { hint: hint("id9") })).includes("hint"));
});

test("a notice, a new day and the line of the unread begin a new group", () => {
  const pair = [message(1, { time: minutes(0) }), message(5, { time: minutes(1) })];
  assert.deepEqual(types(rowsOf(pair, { notices: [notice(2, "renamed", ANA, { time: minutes(0.5) })] })), [
    "begin",
    "day",
    "head",
    "notice",
    "head",
  ]);
  assert.deepEqual(types(rowsOf(pair, { line: "id5" })), ["begin", "day", "head", "new", "head"]);
  const night = [message(1, { time: "2026-11-20T23:59:00Z" }), message(2, { time: "2026-11-21T00:01:00Z" })];
  assert.deepEqual(types(rowsOf(night)), ["begin", "day", "head", "day", "head"]);
});

test("days only go forward, even if a clock does not", () => {
  const rows = rowsOf([message(1), message(2, { author: BEN, time: "1970-01-01T00:00:00Z" }), message(3)]);
  assert.equal(rows.filter((row) => row.type === "day").length, 1);
});

test("where nothing was said a row says so, unless something is on its way or there are better things to say", () => {
  const alone = rowsOf([], { notices: [notice(2, "joined")] });
  assert.deepEqual([alone[0].key, types(alone)], ["empty", ["begin", "day", "notice"]]);
  assert.deepEqual(types(rowsOf([], { pending: [{ ref: "r1", text: "hello" }] })), ["day", "head"]);
  assert.deepEqual(rowsOf([], { reachable: false }), []);
});

test("the beginning is shown only when it has been reached", () => {
  assert.equal(rowsOf([message(1)])[0].type, "begin");
  assert.equal(rowsOf([message(1)], { before: "more" })[0].type, "day");
});

test("notices from before the loaded part wait for it", () => {
  const early = notice(1, "renamed", ANA, { time: minutes(-60) });
  assert.deepEqual(types(rowsOf([message(2)], { notices: [early], before: "more" })), ["day", "head"]);
  assert.deepEqual(types(rowsOf([message(2)], { notices: [early] })), ["begin", "day", "notice", "head"]);
});

test("comings and goings fold, a single one does not, and the line splits them", () => {
  const run = [notice(2, "joined", ANA), notice(3, "left", ANA), notice(4, "joined", BEN)];
  const folded = rowsOf([message(1)], { notices: run });
  assert.deepEqual(types(folded), ["begin", "day", "head", "fold"]);
  assert.equal(folded.at(-1).key, "n:2");
  assert.deepEqual(types(rowsOf([message(1)], { notices: run.slice(0, 1) })), ["begin", "day", "head", "notice"]);
  const split = rowsOf([message(1), message(5, { author: BEN })], {
    notices: [notice(2, "left"), notice(3, "back"), notice(6, "left")],
    line: "id5",
  });
  assert.deepEqual(types(split), ["begin", "day", "head", "fold", "new", "head", "notice"]);
});

test("a fold says what it comes to for each member", () => {
  const row = (kind, id) => ({ notice: { kind, member: id } });
  for (const [kinds, expected] of [
    [["left", "joined"], "returned"],
    [["lost", "back"], "returned"],
    [["joined", "left"], "visited"],
    [["joined"], "joined"],
    [["left"], "left"],
    [["left", "joined", "left"], "left"],
    [["back"], "back"],
  ]) {
    assert.deepEqual(
      summarise(kinds.map((kind) => row(kind, ANA))).map(([kind]) => kind),
      [expected],
      kinds.join(),
    );
  }
});

test("a rename says what the name was", () => {
  const rows = rowsOf([message(1, { name: "Ana" })], { notices: [notice(2, "renamed", ANA, { name: "Anna" })] });
  assert.equal(rows.at(-1).was, "Ana");
});

test("names that two keys bear are marked in messages and notices", () => {
  const setup = (state) => applyFrame(state, { type: "member", member: member(BEN, "ana") }, { now });
  const rows = rowsOf([message(1)], { notices: [notice(2, "left")], setup });
  assert.deepEqual(
    rows.filter((row) => "isShared" in row).map((row) => row.isShared),
    [true, true],
  );
});

test("who takes a known name is shown beside whom they could be taken for, and loudly if those were verified", () => {
  const rowOf = (known) => {
    const setup = (state) => applyFrame(state, { type: "member", member: member(ANA, "Ana", known) }, { now });
    return rowsOf([message(1)], { notices: [notice(2, "conflict", BEN, { name: "\u0410na" })], setup }).at(-1);
  };
  const row = rowOf({});
  assert.deepEqual([row.isShared, row.namesakes, row.isAlarm], [true, [{ id: ANA, name: "Ana" }], false]);
  assert.equal(rowOf({ verified: true }).isAlarm, true);
  const setup = (state) => {
    applyFrame(state, { type: "member", member: member(ANA, "Ana") }, { now });
    applyFrame(state, { type: "member", member: member(ANA, "Zoe") }, { now });
  };
  const later = rowsOf([message(1)], { notices: [notice(2, "conflict", BEN, { name: "Ana" })], setup }).at(-1);
  assert.deepEqual(later.namesakes, [{ id: ANA, name: "Ana" }], "under the name that was taken, whatever became of it");
});

test("how far a message has got", () => {
  for (const [heldBy, of, reach, expected] of [
    [0, 0, false, "saved"],
    [0, 2, false, "saved"],
    [0, 0, true, "node"],
    [0, 2, true, "node"],
    [1, 2, true, "some"],
    [1, 2, false, "some"],
    [2, 2, true, "all"],
    [2, 2, false, "all"],
    [null, null, true, "node"],
  ]) {
    assert.equal(delivery({ held_by: heldBy, of }, reach).code, expected, `${heldBy} of ${of}, ${reach}`);
  }
  assert.equal(delivery({ held_by: 0, of: 1, to: ANA }, false).code, "savedDirect");
});

test("sending is worth a word only after a while", () => {
  const item = { status: "sent", at: now };
  assert.equal(waiting(item, true, now + 399).code, "quiet");
  assert.equal(waiting(item, true, now + 400).code, "sending");
  assert.equal(waiting(item, false, now).code, "waiting");
  assert.equal(waiting({ ...item, status: "failed" }, true, now).code, "failed");
});

test("the row of a message keeps its key from the outbox to the room", () => {
  const before = rowsOf([message(1)], { pending: [{ ref: "r1", text: "hello" }] }).at(-1);
  const after = rowsOf([message(1), message(2, { author: ME, text: "hello" })], {
    setup: (state) => state.refs.set("id2", "r1"),
  }).at(-1);
  assert.equal(before.key, "r:r1");
  assert.equal(after.key, before.key);
  assert.equal(after.code, "node");
});

test("the state stands in words under the last thing said only", () => {
  const own = [message(1, { author: ME }), message(2, { author: ME }), message(3)];
  assert.deepEqual(
    rowsOf(own)
      .filter((row) => row.isOwn)
      .map((row) => row.isStatusShown),
    [false, true],
  );
});

test("rows that would look the same are the same", () => {
  const state = createState();
  applyFrame(state, welcome([message(1, { author: ME })]), { now });
  const last = () => buildRows(state, GENERAL, now).at(-1);
  const before = last();
  assert.equal(sameRow(before, last()), true);
  applyFrame(state, { type: "held", id: "id1", held_by: 1, of: 2 }, { now });
  assert.equal(sameRow(before, last()), false);
});

test("an unconfirmed change lies over the message until the message comes changed", () => {
  operationKinds.edit = { overlay: "replace", frame: () => ({}), apply: (told, { text }) => ({ ...told, text }) };
  operationKinds.like = {
    overlay: "merge",
    frame: () => ({}),
    apply: (told) => ({ ...told, likes: (told.likes ?? 0) + 1 }),
  };
  const state = createState();
  applyFrame(state, welcome([message(1, { author: ME }), message(2)]), { now });
  setConnection(state, { phase: "open" });
  const rowOf = (id) => buildRows(state, GENERAL, now).find((row) => row.message?.id === id);
  const before = rowOf("id2");
  addOperation(state, { ref: "e", kind: "edit", conversation: GENERAL, target: "id1", text: "better", at: now });
  addOperation(state, { ref: "l", kind: "like", conversation: GENERAL, target: "id2", at: now });
  assert.deepEqual([rowOf("id1").message.text, rowOf("id1").ref, rowOf("id2").message.likes], ["better", "e", 1]);
  assert.equal(rowOf("id1").message, rowOf("id1").message, "the same as long as nothing changes");
  assert.deepEqual([before.message.likes, rowOf("id2").key], [undefined, before.key]);

  markSent(state, "e");
  markRefused(state, "e", "not_yours", "Not yours.");
  assert.deepEqual([rowOf("id1").message.text, rowOf("id1").code, rowOf("id1").ref], ["text 1", "failed", "e"]);

  markSent(state, "l");
  markDone(state, "l");
  assert.deepEqual([rowOf("id2").message.likes, rowOf("id2").code], [1, null], "it stays until the node's own word");
  applyFrame(state, { type: "message", message: message(2, { likes: 5 }) }, { now });
  assert.deepEqual([rowOf("id2").message.likes, state.operations.has("l")], [5, false]);
  delete operationKinds.edit;
  delete operationKinds.like;
});

test("new names fold, each from the first to the last", () => {
  const renamed = (n, id, name) => notice(n, "renamed", id, { name, time: minutes(n) });
  const notices = [renamed(2, ANA, "Ann"), renamed(3, BEN, "Benjamin"), renamed(4, ANA, "Anna")];
  const fold = rowsOf([message(1, { name: "Ana" })], { notices }).find(({ type }) => type === "fold");
  const [[kind, people]] = fold.groups;
  assert.deepEqual(
    [kind, people.map(({ was, notice: { name } }) => [was, name])],
    [
      "renamed",
      [
        ["Ana", "Anna"],
        [null, "Benjamin"],
      ],
    ],
  );
});
