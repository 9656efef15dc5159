// Whether it is the user who moves the messages. Browsers tell of every move alike, also of those that come from a
// change of size or from a script, and only the user may leave the end.

const GOES_ON_MS = 1000; // a turn of the wheel or a key press moves on for a while
const FLICK_GAP_MS = 250; // a flick of a finger goes on without a longer break

/** Answers a function that says whether a move that was just told is the user's own. */
export function trackUserScroll(scroller, keyboard) {
  let touched = -Infinity;
  let moved = -Infinity;
  let isHeld = false;
  const touch = () => (touched = performance.now());
  for (const type of ["wheel", "touchmove", "focusin"]) scroller.addEventListener(type, touch, { passive: true });
  scroller.addEventListener("pointerdown", () => {
    isHeld = true;
    touch();
  });
  addEventListener("pointerup", () => (isHeld = false));
  addEventListener("pointercancel", () => (isHeld = false));
  addEventListener("pointermove", (event) => event.buttons === 0 && (isHeld = false)); // it was let go outside
  keyboard.observe(({ target }) => target.closest("input, textarea, select, button") || touch());

  return () => {
    const now = performance.now();
    const isOurs = isHeld || now - touched < GOES_ON_MS || now - moved < FLICK_GAP_MS;
    if (isOurs) moved = now;
    return isOurs;
  };
}
