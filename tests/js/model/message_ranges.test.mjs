import assert from "node:assert/strict";
import test from "node:test";
import { channelId, conversation } from "../../../static/js/model/conversations.js";
import { applyFrame } from "../../../static/js/model/frames.js";
import { forgetFar, takeAround, takeNewer, takeOlder } from "../../../static/js/model/message_ranges.js";
import { openRoute } from "../../../static/js/model/routes.js";
import { createState } from "../../../static/js/model/state.js";
import { GENERAL, T0, message, welcome } from "../frames.mjs";

const now = T0 + 3_600_000;
const from = (first, count, fields) => Array.from({ length: count }, (_, i) => message(first + i, fields));
const ends = ({ messages }) => [messages[0].id, messages.at(-1).id, messages.length];

function after(messages, fields) {
  const state = createState();
  applyFrame(state, welcome(messages, fields), { now });
  openRoute(state, { conversation: GENERAL });
  return [state, conversation(state, GENERAL)];
}

test("at the end the newest stay, with where they begin", () => {
  const [state, known] = after(from(1, 2001));
  forgetFar(state, true);
  assert.deepEqual(ends(known), ["id1202", "id2001", 800]);
  assert.equal(known.floor, known.messages[0].order);
  assert.equal(state.messages.size, 800);
});

test("2,000 are not too many", () => {
  const [state, known] = after(from(1, 2000));
  forgetFar(state, true);
  assert.equal(known.messages.length, 2000);
  assert.equal(known.floor, null);
});

test("the line of what is unread goes up no further than what is kept", () => {
  const [state, known] = after([message(1)]);
  for (const one of from(2, 2000)) applyFrame(state, { type: "message", message: one }, { now });
  assert.deepEqual([known.marker, known.unread], ["id2", 2000]);
  forgetFar(state, true);
  assert.deepEqual([known.marker, known.unread], ["id1202", 2000]);
});

test("reading long ago keeps what is around that, and the newest", () => {
  const [state, known] = after(from(1, 3000), { before: "x" });
  const { floor } = known;
  forgetFar(state, false, () => "id700");
  assert.deepEqual(ends(known.detached), ["id100", "id1299", 1200]);
  assert.deepEqual(
    [known.detached.floor, known.detached.ceiling],
    [known.detached.messages[0].order, known.detached.messages.at(-1).order],
  );
  assert.deepEqual(ends(known), ["id2201", "id3000", 800]);
  assert.equal(state.messages.size, 2000);

  takeOlder(state, GENERAL, { messages: from(1, 99), before: null }, now);
  forgetFar(state, false, () => "id5");
  assert.deepEqual(ends(known.detached), ["id1", "id604", 604]);
  assert.equal(known.detached.floor, null, "nothing is older");
  assert.notEqual(floor, null);
});

test("what was let go of comes again on the way down, until both meet", () => {
  const [state, known] = after(from(1, 3000), { before: "x" });
  forgetFar(state, false, () => "id700");
  for (let next = 1300; known.detached !== null; next += 100) {
    takeNewer(state, GENERAL, { messages: from(next, 100), before: "y" }, now);
    forgetFar(state, false, () => `id${next}`);
    assert.ok(state.messages.size <= 2000);
  }
  const [first, , count] = ends(known);
  assert.deepEqual([first, count], ["id1300", 1701]);
  assert.deepEqual(
    known.messages.map(({ id }) => id),
    from(1300, 1701).map(({ id }) => id),
    "none is missing",
  );
});

test("near the end only what is far above goes", () => {
  const [state, known] = after(from(1, 2100));
  forgetFar(state, false, () => "id900");
  assert.deepEqual(ends(known), ["id300", "id2100", 1801]);
  assert.deepEqual([known.detached, known.floor], [null, known.messages[0].order]);
});

test("a jump from the end keeps where it leads", () => {
  const [state, known] = after(from(1000, 1990), { before: "x" });
  takeAround(state, GENERAL, { messages: from(1, 100), before: null }, now);
  forgetFar(state, true, () => "id2989");
  assert.deepEqual(ends(known.detached), ["id1", "id100", 100]);
  forgetFar(state, false, () => "id50");
  assert.deepEqual(
    [ends(known.detached), ends(known)],
    [
      ["id1", "id100", 100],
      ["id2190", "id2989", 800],
    ],
  );
});

test("nothing goes while it is not known what is read", () => {
  const [state, known] = after(from(1, 2100));
  forgetFar(state, false, () => null);
  assert.equal(known.messages.length, 2100);
});

test("much is kept of ten conversations, and of the others enough to open them", () => {
  const channels = Array.from({ length: 12 }, (_, i) => `c${i}`);
  const said = channels.flatMap((channel, i) => from(1000 * i + 1, 150, { channel }));
  const [state] = after(said);
  for (const channel of channels.slice(0, 11)) openRoute(state, { conversation: channelId(channel) });
  takeAround(state, "c:c0", { messages: from(500_000, 3, { channel: "c0", place: 0 }), before: null }, now);
  forgetFar(state, true);
  const kept = channels.map((channel) => conversation(state, channelId(channel)).messages.length);
  assert.deepEqual(kept, [100, ...Array(10).fill(150), 100]);
  assert.equal(conversation(state, "c:c0").detached, null);
  assert.equal(state.messages.size, 1700);
});
