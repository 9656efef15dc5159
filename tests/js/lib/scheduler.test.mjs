import assert from "node:assert/strict";
import test from "node:test";

let frame = null; // what waits for the next frame
let now = 0;
globalThis.document = Object.assign(new EventTarget(), { hidden: false });
globalThis.requestAnimationFrame = (draw) => (frame = draw);
globalThis.performance.now = () => now;
const { createScheduler } = await import("../../../static/js/lib/scheduler.js");

/** Two views and what they have drawn. */
function scheduler() {
  const drawn = [];
  const views = createScheduler();
  views.add({ topics: ["members"], draw: () => drawn.push("members") });
  views.add({ topics: ["timeline", "members"], draw: () => drawn.push("timeline") });
  const next = () => {
    const draw = frame;
    frame = null;
    draw?.();
    return drawn.splice(0);
  };
  return { views, next };
}

test("a view is drawn once before the next frame, for its topics", () => {
  const { views, next } = scheduler();
  assert.deepEqual(next(), ["members", "timeline"], "each for the first time");
  views.touch("timeline");
  views.touch("timeline", "drafts");
  assert.deepEqual(next(), ["timeline"]);
  views.touch("drafts");
  assert.equal(frame, null, "nothing shows it");
  views.touch("members");
  views.drawNow();
  assert.deepEqual(next(), ["members", "timeline"], "drawn at once, and not again");
});

test("in a flood frames are heard before they are drawn", () => {
  const { views, next } = scheduler();
  next();
  views.touch("timeline");
  for (let i = 0; i < 30; i += 1) views.noteFrame();
  assert.deepEqual(next(), [], "more may come");
  now += 10;
  assert.deepEqual(next(), ["timeline"], "after a pause");
  views.touch("timeline");
  for (let waited = 0; waited < 300; waited += 5) {
    now += 5;
    for (let i = 0; i < 30; i += 1) views.noteFrame();
  }
  assert.deepEqual(next(), ["timeline"], "but not without end");
});
