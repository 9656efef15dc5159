// A little joy for the whole room: a second and a half of confetti over the page, once at a time,
// never in the way of a click, and never for those who prefer less motion.

const LASTS_MS = 1500;
const PIECES = 120;
const GRAVITY = 1500; // px per second, each second
const COLOURS = 12;

const FRESH_MS = 10_000;

let playing = false;

/** @param {import("../app.js").App} app */
export function install({ state, events }) {
  events.on("message", ({ message }) => {
    const isFresh = Math.abs(Date.now() - Date.parse(message.time)) < FRESH_MS;
    if (message.kind === "hooray" && isFresh && state.settings.joy) celebrate();
  });
}

function celebrate() {
  if (playing || document.hidden || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  playing = true;
  const canvas = document.createElement("canvas");
  canvas.className = "confetti";
  canvas.setAttribute("aria-hidden", "true");
  canvas.width = innerWidth;
  canvas.height = innerHeight;
  document.body.append(canvas);

  const style = getComputedStyle(document.documentElement);
  const colours = Array.from({ length: COLOURS }, (_, i) => style.getPropertyValue(`--hue-${i}`).trim());
  const pieces = Array.from({ length: PIECES }, (_, i) => piece(i, canvas, colours));
  const context = canvas.getContext("2d");
  const began = performance.now();

  function frame(now) {
    const age = now - began;
    if (age >= LASTS_MS) {
      canvas.remove();
      playing = false;
      return;
    }
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.globalAlpha = Math.min(1, (LASTS_MS - age) / 400);
    for (const one of pieces) drawPiece(context, one, age / 1000);
    requestAnimationFrame(frame);
  }
  requestAnimationFrame(frame);
}

/** Half of them fly from each lower corner, up and towards the middle. */
function piece(i, canvas, colours) {
  const fromStart = i % 2 === 0;
  const speed = 0.7 + Math.random() * 0.6;
  return {
    x: fromStart ? 0 : canvas.width,
    y: canvas.height,
    vx: (fromStart ? 1 : -1) * (100 + Math.random() * canvas.width * 0.55),
    vy: -Math.sqrt(2 * GRAVITY * canvas.height * 0.7) * speed,
    size: 6 + Math.random() * 6,
    turn: (Math.random() - 0.5) * 14,
    colour: colours[i % colours.length],
  };
}

function drawPiece(context, { x, y, vx, vy, size, turn, colour }, s) {
  context.save();
  context.translate(x + vx * s, y + vy * s + (GRAVITY * s * s) / 2);
  context.rotate(turn * s);
  context.fillStyle = colour;
  context.fillRect(-size / 2, -size / 3, size, size / 1.5);
  context.restore();
}
