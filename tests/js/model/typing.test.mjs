import assert from "node:assert/strict";
import test from "node:test";
import { directId } from "../../../static/js/model/conversations.js";
import { applyFrame } from "../../../static/js/model/frames.js";
import { createState } from "../../../static/js/model/state.js";
import { typingIn } from "../../../static/js/model/typing.js";
import { typingText } from "../../../static/js/features/typing.js";
import { ANA, BEN, GENERAL, ME, T0, member, message, welcome } from "../frames.mjs";

const typing = (id, place = { channel: "general" }) => ({ type: "typing", id, ...place });

function after(frames, now = T0) {
  const state = createState();
  for (const frame of [welcome(), ...frames]) applyFrame(state, frame, { now });
  return state;
}

const who = (state, now, id = GENERAL) => [...typingIn(state, id, now).keys()];

test("typing is forgotten after six seconds", () => {
  const state = after([typing(ANA)]);
  assert.deepEqual([who(state, T0 + 5999), who(state, T0 + 6000)], [[ANA], []]);
  applyFrame(state, typing(BEN), { now: T0 + 5000 });
  assert.deepEqual(who(state, T0 + 5500), [ANA, BEN]);
  applyFrame(state, typing(BEN, { with: BEN }), { now: T0 + 20_000 });
  assert.deepEqual([...state.typing.keys()], [directId(BEN)], "nothing is kept of what is over");
});

test("typing ends with the message, in its conversation only", () => {
  const state = after([typing(ANA), typing(BEN), typing(ANA, { with: ANA })]);
  applyFrame(state, { type: "message", message: message(1) }, { now: T0 });
  assert.deepEqual([who(state, T0), who(state, T0, directId(ANA))], [[BEN], [ANA]]);
});

test("the user's own typing in another tab is not told", () => {
  assert.deepEqual(who(after([typing(ME)]), T0), []);
});

test("up to two members are named, more are counted", () => {
  const state = after([]);
  const third = "dd".repeat(32);
  applyFrame(state, { type: "member", member: member(third, "Cem") }, { now: T0 });
  for (const [ids, text] of [
    [[], ""],
    [[ANA], "Ana is typing"],
    [[ANA, BEN], "Ana and Ben are typing"],
    [[ANA, BEN, third], "3 people are typing"],
    [["ee".repeat(32)], ""],
  ]) {
    assert.equal(typingText(state, ids), text);
  }
  applyFrame(state, { type: "member", member: member(BEN, "Ben", { blocked: true }) }, { now: T0 });
  assert.equal(typingText(state, [ANA, BEN]), "Ana is typing");
});
