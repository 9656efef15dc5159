import assert from "node:assert/strict";
import test from "node:test";
import { notificationPolicy } from "../../../static/js/status/notifications.js";
import { ANA, BEN, ME, member, message } from "../frames.mjs";

const settings = { notices: "direct", texts: true, sounds: "direct", quiet: false, muted: [] };
const members = new Map(
  [member(ME, "Kai"), member(ANA, "Ana"), member(BEN, "Ben", { muted: true })].map((m) => [m.id, m]),
);
const of = (fields, changed = {}) => {
  const { notice, sound } = notificationPolicy(message(1, fields), {
    settings: { ...settings, ...changed },
    me: ME,
    names: ["Kai"],
    members,
  });
  return [notice, sound];
};

test("one is told of what is meant for one, and of nothing else unless one asked", () => {
  for (const [what, found, expected] of [
    ["a room", of({}), [false, false]],
    ["a direct message", of({ to: ME }), [true, true]],
    ["one's name", of({ text: "hello @KAI!" }), [true, true]],
    ["a mention", of({ text: "hello", mentions: [ME] }), [true, true]],
    ["one's name, but a mention of another", of({ text: "hello @Kai", mentions: [ANA] }), [false, false]],
    ["one's name without the sign", of({ text: "hello Kai" }), [false, false]],
    ["everything, asked for", of({}, { notices: "all" }), [true, false]],
    ["sounds, asked for", of({}, { sounds: "all" }), [false, true]],
    ["nothing, asked for", of({ to: ME }, { notices: "none", sounds: "none" }), [false, false]],
    ["oneself", of({ author: ME, to: ANA }), [false, false]],
    ["do not disturb", of({ to: ME }, { quiet: true }), [false, false]],
    ["a muted conversation", of({ to: ME }, { muted: [`d:${ANA}`] }), [false, false]],
    ["another muted conversation", of({ to: ME }, { muted: [`d:${BEN}`] }), [true, true]],
    ["a muted member", of({ author: BEN, to: ME }), [false, false]],
  ]) {
    assert.deepEqual(found, expected, what);
  }
});
