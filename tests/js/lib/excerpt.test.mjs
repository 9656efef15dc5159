import assert from "node:assert/strict";
import test from "node:test";

process.env.TZ = "UTC";
const { applyFrame } = await import("../../../static/js/model/frames.js");
const { createState } = await import("../../../static/js/model/state.js");
const { addOperation } = await import("../../../static/js/model/operations.js");
const { toggleUnfolded } = await import("../../../static/js/model/ui.js");
const { beginningOf, beginningOfText } = await import("../../../static/js/lib/excerpt.js");
const { buildRows } = await import("../../../static/js/timeline/build_rows.js");
const { GENERAL, T0, message, welcome } = await import("../frames.mjs");

const text = (text) => ({ type: "text", text });
const shown = (spans) => spans.map((span) => (span.spans ? shown(span.spans) : span.text)).join("");

test("a message of 20 lines or 2,000 characters is shown whole", () => {
  for (const spans of [
    [],
    [text("a\n".repeat(20))],
    [text("a\n".repeat(19) + "a")],
    [text("x".repeat(2000))],
    [text("a\n".repeat(18)), { type: "code", text: "b" }, text("\nc")],
    [{ type: "pre", text: "a\n".repeat(19) + "a", lang: null }],
    [{ type: "quote", spans: [text("a\n".repeat(19) + "a")] }],
  ]) {
    assert.deepEqual(beginningOf(spans), { spans, isCut: false });
  }
});

test("what is behind line 20 or character 2,000 is cut", () => {
  for (const [spans, expected] of [
    [[text("a\n".repeat(20) + "b")], "a\n".repeat(20)],
    [[text("x".repeat(2001))], "x".repeat(2000)],
    [[{ type: "strong", spans: [text("x".repeat(1999))] }, text("yz")], "x".repeat(1999) + "y"],
    [[{ type: "pre", text: "a\n".repeat(30), lang: null }], "a\n".repeat(20)],
    [[{ type: "pre", text: "a\n".repeat(19) + "a", lang: null }, text("b")], "a\n".repeat(19) + "a"],
    [[text("a"), { type: "pre", text: "b\n".repeat(18) + "b", lang: null }, text("c")], "a" + "b\n".repeat(18) + "b"],
    [Array.from({ length: 30 }, () => ({ type: "quote", spans: [] })), ""],
    [[{ type: "quote", spans: [{ type: "em", spans: [text("\n".repeat(100))] }] }], "\n".repeat(20)],
  ]) {
    const { spans: begun, isCut } = beginningOf(spans);
    assert.ok(isCut, JSON.stringify(spans).slice(0, 60));
    assert.equal(shown(begun), expected);
  }
  assert.equal(beginningOf(Array.from({ length: 30 }, () => ({ type: "quote", spans: [] }))).spans.length, 20);
});

test("where links lead counts, since it is shown behind their words", () => {
  const link = (href, words) => ({ type: "link", href, spans: [text(words)] });
  const many = Array.from({ length: 100 }, (_, i) =>
    link(`http://host-${String(i).padStart(3, "0")}.example.org/${"x".repeat(20)}`, "a"),
  );
  const { spans, isCut } = beginningOf(many);
  assert.ok(isCut && spans.length < 50, `${spans.length} links`);
  const bare = Array.from({ length: 40 }, () => link(`http://a.b/${"x".repeat(38)}`, `http://a.b/${"x".repeat(38)}`));
  assert.equal(beginningOf(bare).isCut, false, "1,960 characters of links that show where they lead");
  const endless = beginningOf([link(`http://${"x".repeat(5000)}`, "word"), text("behind")]);
  assert.deepEqual([shown(endless.spans), endless.isCut], ["word", true]);
});

test("a cut parts no grapheme, and no character of an endless one", () => {
  const family = "👩\u200d👩\u200d👧";
  for (const [start, tail] of [
    ["x".repeat(1999), "👍👍"],
    ["x".repeat(1997), family.repeat(2)],
    ["x".repeat(1999), "e\u0301\u0323."],
  ]) {
    assert.equal(shown(beginningOf([text(start + tail)]).spans), start, JSON.stringify(tail));
  }
  const endless = shown(beginningOf([text("👩\u200d".repeat(3000))]).spans);
  assert.ok(endless.isWellFormed() && endless.length > 1900 && endless.length <= 2000, `${endless.length} characters`);
});

test("a text that is read out ends where the message is cut", () => {
  assert.equal(beginningOfText("short"), "short");
  assert.equal(beginningOfText("x".repeat(5000)), "x".repeat(2000) + "…");
});

test("a message stays unfolded under its key", () => {
  const state = createState();
  applyFrame(state, welcome([message(1)]), { now: T0 });
  addOperation(state, { ref: "a", kind: "say", conversation: GENERAL, text: "x", at: T0 });
  const isOpen = () =>
    buildRows(state, GENERAL, T0)
      .filter(({ type }) => type === "message")
      .map((row) => row.isOpen);
  for (const key of ["m:id1", "r:a"]) toggleUnfolded(state, key);
  assert.deepEqual(isOpen(), [true, true]);
  for (const key of ["m:id1", "r:a"]) toggleUnfolded(state, key);
  assert.deepEqual(isOpen(), [false, false]);
});
