// Records how the messages move: run in the page, fills `window.recording`.

const UNSEEN_PX = 1;
const LATE_MS = 100;
const list = document.querySelector("[aria-label=Messages]");
const scroller = list.parentElement;
const recording = { isByHand: false, frames: 0, late: 0, jumps: [], flashes: [], shifts: [] };
window.recording = recording;

new PerformanceObserver((entries) => {
  for (const { value, hadRecentInput, sources } of entries.getEntries()) {
    if (!hadRecentInput) recording.shifts.push([value, ...sources.map(({ node }) => node?.textContent.trim().slice(0, 30))]);
  }
}).observe({ type: "layout-shift" });

/** What is in sight: each row and how far it is from the upper edge. */
function look(at) {
  const { top, bottom } = scroller.getBoundingClientRect();
  const boxes = [...list.children].map((row) => [row, row.getBoundingClientRect()]);
  const rows = new Map(boxes.filter(([, box]) => box.bottom > top && box.top < bottom).map(([row, box]) => [row, box.top - top]));
  const gap = scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
  return { at, rows, gap, place: document.querySelector("main h1").textContent, isByHand: recording.isByHand };
}

function compare(before, now) {
  recording.frames += 1;
  if (now.at - before.at > LATE_MS) recording.late += 1;
  if (before.rows.size > 0 && now.rows.size === 0) recording.flashes.push([recording.frames, before.place, now.place]);
  if (now.place !== before.place) return;
  const moves = [...now.rows].filter(([row]) => before.rows.has(row)).map(([row, top]) => [row, top - before.rows.get(row)]);
  const isAtEnd = before.gap <= UNSEEN_PX && now.gap <= UNSEEN_PX;
  const isByHand = before.isByHand || now.isByHand;
  for (const [row, dy] of moves) {
    const isMeant = isByHand ? Math.abs(dy - moves[0][1]) <= UNSEEN_PX : Math.abs(dy) <= UNSEEN_PX || (isAtEnd && dy < 0);
    if (!isMeant) recording.jumps.push([recording.frames, row.textContent.trim().slice(0, 40), dy, isByHand, before.gap, now.gap]);
  }
}

let before = look(performance.now());
const next = () => requestAnimationFrame((at) => setTimeout(() => {
  const now = look(at);
  compare(before, now);
  before = now;
  next();
}));
next();
