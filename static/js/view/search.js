// Searching everything this node holds. The node finds the words; who, where and when is sorted out here, among what
// it found.

import { findMember } from "../commands.js";
import { make, nameOf, setText } from "../lib/dom.js";
import { t, whenText } from "../lib/texts.js";
import { isShared, keyOf, placeName } from "../state.js";
import { open } from "./dialogs.js";
import { Options } from "./options.js";

const ASK_AFTER_MS = 120;
const SHOWN_MAX = 50;
const ASKED_MAX = 500; // hits to choose from where only some of them fit
const CONTEXT = 60; // characters before the first mark

/** Takes a search apart: `{ words, filters: { from, in, before, after } }`. Pure. */
export function parseSearch(text) {
  const filters = {};
  const words = text.replace(/(?:^|\s)(from|in|before|after):(?:"([^"]*)"|(\S+))/gi, (_, name, quoted, plain) => {
    filters[name.toLowerCase()] = quoted ?? plain;
    return " ";
  });
  return { words: words.trim().replace(/\s+/g, " "), filters };
}

/** Whether a message is one that the filters mean. Pure. */
export function fits(message, filters, { state, members }) {
  if (filters.from !== undefined && findMember(members, filters.from).member?.id !== message.author) return false;
  if (filters.in !== undefined) {
    const place = placeName(state, keyOf(message, state.me)).replace(/^# /, "");
    if (place.toLowerCase() !== filters.in.replace(/^#/, "").toLowerCase()) return false;
  }
  const at = Date.parse(message.time);
  if (filters.before !== undefined && !(at < Date.parse(`${filters.before}T00:00`))) return false;
  return filters.after === undefined || at >= Date.parse(`${filters.after}T00:00`) + 86_400_000;
}

/** A hit's text in pieces, `{ text, isMarked }`, from a little before the first mark. Pure. */
export function piecesOf(text, ranges) {
  const first = ranges[0]?.[0] ?? 0;
  let at = first > CONTEXT ? text.indexOf(" ", first - CONTEXT) + 1 || first : 0;
  if (at > first) at = first;
  const pieces = at > 0 ? [{ text: "… ", isMarked: false }] : [];
  for (const [start, end] of ranges) {
    if (start > at) pieces.push({ text: text.slice(at, start), isMarked: false });
    pieces.push({ text: text.slice(start, end), isMarked: true });
    at = end;
  }
  return at < text.length ? [...pieces, { text: text.slice(at), isMarked: false }] : pieces;
}

export function showSearch({ state, socket, room, jumps }) {
  const dialog = open("t-search");
  const field = dialog.querySelector("input");
  const status = dialog.querySelector("[role=status]");
  const options = new Options(field, dialog.querySelector("[role=listbox]"), ({ message }) => {
    dialog.close();
    jumps.to(keyOf(message, state.me), message.id);
  });
  let timer = 0;
  let asked = 0;

  async function ask() {
    const { words, filters } = parseSearch(field.value);
    const turn = (asked += 1);
    if (words === "") return show([], "search.empty");
    const limit = Object.keys(filters).length > 0 ? ASKED_MAX : SHOWN_MAX;
    try {
      const { hits } = await socket.get(`/api/v1/search?${new URLSearchParams({ q: words, limit: String(limit) })}`);
      if (turn !== asked) return; // something else was typed meanwhile
      const context = { state, members: room.members };
      const found = hits.filter(({ message }) => fits(message, filters, context)).slice(0, SHOWN_MAX);
      show(found, found.length === 0 ? "search.none" : "search.found");
    } catch {
      if (turn === asked) show([], "search.failed");
    }
  }

  function show(hits, key) {
    options.show(hits, (hit) => hitParts(state, hit));
    setText(status, t(key, { n: hits.length }));
  }

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, ASK_AFTER_MS);
  });
  show([], "search.empty");
  field.focus();
}

function hitParts(state, { message, ranges }) {
  const head = make("span", "hit-head");
  head.append(nameOf(message.author, message.name, isShared(state, message.name)));
  head.append(make("span", "meta", placeName(state, keyOf(message, state.me))));
  head.append(make("span", "meta", whenText(Date.parse(message.time), Date.now())));
  const text = make("span", "hit-text");
  text.dir = "auto";
  text.append(...piecesOf(message.text, ranges).map((piece) => make(piece.isMarked ? "mark" : "span", "", piece.text)));
  return [head, text];
}
