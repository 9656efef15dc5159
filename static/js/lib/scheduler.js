// Draws views once before the next frame. A view names the topics that it shows; code that changes something names
// the topics that it changed.

const FLOOD_FRAMES = 20; // more than these since the last drawing, and drawing waits until they have all been heard
const FLOOD_PAUSE_MS = 8; // what is heard of a burst comes every 0.1 ms
const FLOOD_MS_MAX = 250;
const HIDDEN_MS = 100; // a hidden tab has no frames

/** @typedef {import("../types.d.ts").View} View */
export function createScheduler() {
  const views = []; // in the order in which they are drawn
  const dirty = new Set();
  let isDue = false;
  let dueSince = 0;
  const drawn = { at: 0, took: 0 }; // when the last drawing ended, and how long it took
  const heard = { frames: 0, at: 0 }; // what was heard since the last drawing

  function request() {
    if (isDue) return;
    isDue = true;
    dueSince = performance.now();
    if (document.hidden) setTimeout(drawDue, HIDDEN_MS);
    else requestAnimationFrame(drawDue);
  }

  function drawDue() {
    if (!isDue) return;
    // In a flood of messages drawing must not take the time that is needed to hear them.
    const now = performance.now();
    const isMany = heard.frames > FLOOD_FRAMES && now - heard.at < FLOOD_PAUSE_MS;
    const isFlood = isMany && now - dueSince < FLOOD_MS_MAX;
    const isTooSoon = now < drawn.at + 2 * drawn.took;
    if ((isFlood || isTooSoon) && !document.hidden) requestAnimationFrame(drawDue);
    else drawNow();
  }

  function drawNow() {
    const begin = performance.now();
    isDue = false;
    heard.frames = 0;
    for (const view of views) {
      if (dirty.delete(view)) view.draw();
    }
    drawn.at = performance.now();
    drawn.took = drawn.at - begin;
  }

  document.addEventListener("visibilitychange", () => document.hidden && drawDue());

  return {
    /** Adds a view, which is drawn soon for the first time. Returns a function that removes it. @param {View} view */
    add(view) {
      views.push(view);
      dirty.add(view);
      request();
      return () => {
        dirty.delete(view);
        const at = views.indexOf(view);
        if (at >= 0) views.splice(at, 1);
      };
    },

    /** Something of these topics changed. */
    touch(...topics) {
      for (const view of views) {
        if (view.topics.some((topic) => topics.includes(topic))) dirty.add(view);
      }
      if (dirty.size > 0) request();
    },

    touchAll() {
      for (const view of views) dirty.add(view);
      request();
    },

    /** A frame came: many of them are drawn together. */
    noteFrame() {
      heard.frames += 1;
      heard.at = performance.now();
    },

    /** Draws what changed, without waiting. */
    drawNow,
  };
}
