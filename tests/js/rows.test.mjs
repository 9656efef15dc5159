import assert from "node:assert/strict";
import test from "node:test";

process.env.TZ = "UTC";
const State = await import("../../static/js/state.js");
const { buildRows, delivery, sameRow, summarise, waiting } = await import("../../static/js/rows.js");
const { ANA, BEN, ME, T0, member, message, notice, welcome } = await import("./frames.mjs");

const now = T0 + 86_400_000;
const minutes = (n) => new Date(T0 + n * 60_000).toISOString();

function rowsOf(messages, { takerInReach = true, notices = [], pending = [], hints = [], line = null, unfolded = [], before = null, setup } = {}) {
  const state = State.create();
  State.apply(state, welcome(messages, { notices, before }), { now });
  setup?.(state);
  const known = State.conversation(state, State.GENERAL);
  known.line = line;
  return buildRows({
    state, known, notices: state.notices, pending, hints, isOpen: true, takerInReach, unfolded: new Set(unfolded), now,
  });
}

const types = (rows) => rows.map((row) => (row.type === "message" ? (row.head ? "head" : "message") : row.type));

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
  const hint = (before) => [{ id: "1", at: now, text: "…", before, actions: [] }];
  assert.deepEqual(types(rowsOf(said, { hints: hint("id2") })), ["begin", "day", "head", "hint", "head", "message"]);
  assert.deepEqual(types(rowsOf(said, { hints: hint("id1") })), ["begin", "hint", "day", "head", "message", "message"]);
  assert.ok(!types(rowsOf(said, { hints: hint("id9") })).includes("hint"));
});

test("a notice, a new day and the line of the unread begin a new group", () => {
  const pair = [message(1, { time: minutes(0) }), message(5, { time: minutes(1) })];
  assert.deepEqual(types(rowsOf(pair, { notices: [notice(2, "renamed", ANA, { time: minutes(0.5) })] })), ["begin", "day", "head", "notice", "head"]);
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
  const pending = [{ ref: "r1", text: "hello", key: State.GENERAL, kind: "say", at: now, status: "sent" }];
  assert.deepEqual(types(rowsOf([], { pending })), ["day", "head"]);
  assert.deepEqual(rowsOf([], { takerInReach: false }), []);
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
  const split = rowsOf([message(1), message(5, { author: BEN })], { notices: [notice(2, "left"), notice(3, "back"), notice(6, "left")], line: "id5" });
  assert.deepEqual(types(split), ["begin", "day", "head", "fold", "new", "head", "notice"]);
});

test("a fold says what it comes to for each member", () => {
  const row = (kind, id) => ({ notice: { kind, member: id } });
  for (const [kinds, expected] of [
    [["left", "joined"], "returned"], [["lost", "back"], "returned"], [["joined", "left"], "visited"],
    [["joined"], "joined"], [["left"], "left"], [["left", "joined", "left"], "left"], [["back"], "back"],
  ]) {
    assert.deepEqual(summarise(kinds.map((kind) => row(kind, ANA))).map(([kind]) => kind), [expected], kinds.join());
  }
});

test("a rename says what the name was", () => {
  const rows = rowsOf([message(1, { name: "Ana" })], { notices: [notice(2, "renamed", ANA, { name: "Anna" })] });
  assert.equal(rows.at(-1).was, "Ana");
});

test("names that two keys bear are marked in messages and notices", () => {
  const setup = (state) => State.apply(state, { type: "member", member: member(BEN, "ana") }, { now });
  const rows = rowsOf([message(1)], { notices: [notice(2, "left")], setup });
  assert.deepEqual(rows.filter((row) => "shared" in row).map((row) => row.shared), [true, true]);
});

test("who takes a known name is shown beside whom they could be taken for, and loudly if those were verified", () => {
  const rowOf = (known) => {
    const setup = (state) => State.apply(state, { type: "member", member: member(ANA, "Ana", known) }, { now });
    return rowsOf([message(1)], { notices: [notice(2, "conflict", BEN, { name: "\u0410na" })], setup }).at(-1);
  };
  const row = rowOf({});
  assert.deepEqual([row.shared, row.known, row.alarm], [true, `${ANA} Ana`, false]);
  assert.equal(rowOf({ verified: true }).alarm, true);
  const setup = (state) => {
    State.apply(state, { type: "member", member: member(ANA, "Ana") }, { now });
    State.apply(state, { type: "member", member: member(ANA, "Zoe") }, { now });
  };
  const later = rowsOf([message(1)], { notices: [notice(2, "conflict", BEN, { name: "Ana" })], setup }).at(-1);
  assert.equal(later.known, `${ANA} Ana`, "under the name that was taken, whatever became of it");
});

test("how far a message has got", () => {
  for (const [heldBy, of, reach, expected] of [
    [0, 0, false, "saved"], [0, 2, false, "saved"], [0, 0, true, "node"], [0, 2, true, "node"], [1, 2, true, "some"],
    [1, 2, false, "some"], [2, 2, true, "all"], [2, 2, false, "all"], [null, null, true, "node"],
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
  const pending = [{ ref: "r1", text: "hello", key: State.GENERAL, kind: "say", at: now, status: "sent" }];
  const before = rowsOf([message(1)], { pending }).at(-1);
  const after = rowsOf([message(1), message(2, { author: ME, text: "hello" })], { setup: (state) => state.refs.set("id2", "r1") }).at(-1);
  assert.equal(before.key, "r:r1");
  assert.equal(after.key, before.key);
  assert.equal(after.code, "node");
});

test("the state stands in words under the last thing said only", () => {
  const own = [message(1, { author: ME }), message(2, { author: ME }), message(3)];
  assert.deepEqual(rowsOf(own).filter((row) => row.own).map((row) => row.shown), [false, true]);
});

test("rows that would look the same are the same", () => {
  const build = (heldBy) => rowsOf([message(1, { author: ME, held_by: heldBy, spans: null })]).at(-1);
  assert.equal(sameRow(build(0), build(0)), true);
  assert.equal(sameRow(build(0), build(1)), false);
});
