// The beginning of a long message. It is cut before anything of it is built: a page that would build all of a hostile
// message first could be stopped by it.

import { graphemes } from "./emoji.js";

const LINES_MAX = 20;
const CHARS_MAX = 2000;
const GRAPHEME_MAX = 64; // a longer one is cut in its middle

/**
 * The first lines of what was said, as spans, and whether there is more: `{ spans, isCut }`. A block begins a line and
 * ends it. Pure.
 */
export function beginningOf(spans) {
  const room = { lines: LINES_MAX, chars: CHARS_MAX, isLineBegun: false, isCut: false };
  const begun = take(spans, room);
  return { spans: room.isCut ? begun : spans, isCut: room.isCut };
}

/** The same of a text, which ends with a mark where there is more. */
export function beginningOfText(text) {
  const { spans, isCut } = beginningOf([{ type: "text", text }]);
  return isCut ? `${spans[0]?.text ?? ""}…` : text;
}

function take(spans, room) {
  const taken = [];
  for (const span of spans) {
    if (room.lines <= 0 || room.chars <= 0) room.isCut = true;
    if (room.isCut) break;
    taken.push(takeSpan(span, room));
  }
  return taken;
}

function takeSpan(span, room) {
  const isBlock = span.type === "pre" || span.type === "quote";
  if (isBlock) endLine(room);
  const taken = span.spans
    ? { ...span, spans: take(span.spans, room) }
    : { ...span, text: takeText(span.text ?? "", room) };
  // Behind the words of a link stands where it leads, which takes room as well.
  if (span.type === "link" && span.spans[0]?.text !== span.href) room.chars -= span.href.length;
  if (isBlock) {
    room.isLineBegun = true; // also one with nothing in it takes a line
    endLine(room);
  }
  return taken;
}

function endLine(room) {
  if (room.isLineBegun) room.lines -= 1;
  room.isLineBegun = false;
}

function takeText(text, room) {
  const most = Math.min(text.length, room.chars);
  let end = 0;
  while (end < most && room.lines > 0) {
    const next = text.indexOf("\n", end) + 1;
    room.isLineBegun = next === 0 || next > most;
    end = room.isLineBegun ? most : next;
    if (!room.isLineBegun) room.lines -= 1;
  }
  room.chars -= end;
  room.isCut = end < text.length;
  return room.isCut ? text.slice(0, wholeEnd(text, end)) : text;
}

/** The last place up to `end` that parts no grapheme, or no character where the grapheme is too long. */
function wholeEnd(text, end) {
  const from = Math.max(0, end - GRAPHEME_MAX);
  const { index } = graphemes.segment(text.slice(from, end + GRAPHEME_MAX)).containing(end - from);
  if (index > 0) return from + index;
  const isParted = (text.charCodeAt(end) & 0xfc00) === 0xdc00;
  return isParted ? end - 1 : end;
}
