import assert from "node:assert/strict";
import test from "node:test";
import { createEvents } from "../../../static/js/lib/events.js";

test("a listener that comes later is told what happened before", () => {
  const events = createEvents();
  const [early, late] = [[], []];
  events.on("notice", (data) => early.push(data));
  events.emit("notice", 1);
  events.emit("message", 2);
  events.on("notice", (data) => late.push(data));
  events.emit("notice", 3);
  assert.deepEqual(
    [early, late],
    [
      [1, 3],
      [1, 3],
    ],
  );
});

test("nothing is kept once all listeners are here", () => {
  const events = createEvents();
  events.emit("notice", 1);
  events.settle();
  events.emit("notice", 2);
  const told = [];
  events.on("notice", (data) => told.push(data));
  events.emit("notice", 3);
  assert.deepEqual(told, [3]);
});
