// Searching everything this node holds. The node finds the words, and looks only where and at whom it is told to; days are
// sorted out here, page by page of what it found.

import { findMember } from "../composer/command_parser.js";
import { make, setText } from "../lib/dom.js";
import { whenText } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { nameOf } from "../lib/identicon.js";
import { createFinder } from "../lib/listbox.js";
import { conversationName, conversationOf, fieldsOf } from "../model/conversations.js";
import { isShared } from "../model/members/name_index.js";
import { openDialog } from "./dialog.js";

const ASK_AFTER_MS = 120;
const SHOWN_MAX = 50;
const PAGE = 500; // hits asked for at once where only some of them fit
const PAGES_MAX = 10;
const NOTHING = { found: [], isWhole: true };
const CONTEXT = 60; // characters before the first mark
const HIT_MAX = 500; // characters of a hit that are shown

/** Takes a search apart: `{ words, filters: { from, in, before, after } }`. Pure. */
export function parseSearch(text) {
  const filters = {};
  const words = text.replace(/(?:^|\s)(from|in|before|after):(?:"([^"]*)"|(\S+))/gi, (_, name, quoted, plain) => {
    filters[name.toLowerCase()] = quoted ?? plain;
    return " ";
  });
  return { words: words.trim().replace(/\s+/g, " "), filters };
}

/**
 * Returns the parameters of a search for a member and a place, or null if no member or place has that name. If several
 * members share the name, the search covers all members, and `authors` lists those. Pure.
 */
export function scopeOf(filters, { state, members }) {
  const scope = { params: {}, authors: null };
  if (filters.from !== undefined) {
    const { member, several = [] } = findMember(members, filters.from);
    if (!member && several.length === 0) return null;
    if (member) scope.params.from = member.id;
    else scope.authors = several.map(({ id }) => id);
  }
  if (filters.in !== undefined) {
    const wanted = filters.in.replace(/^#/, "").toLowerCase();
    const nameOfPlace = (id) => conversationName(state, id).replace(/^# /, "").toLowerCase();
    const id = [...state.conversations.keys()].find((one) => nameOfPlace(one) === wanted);
    if (id === undefined) return null;
    Object.assign(scope.params, fieldsOf(id));
  }
  return scope;
}

/** Whether a message is of the days and the people that are meant. Pure. */
export function fits(message, filters, authors = null) {
  if (authors !== null && !authors.includes(message.author)) return false;
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
  const last = at + HIT_MAX;
  for (const [start, end] of ranges) {
    if (end > last) break;
    if (start > at) pieces.push({ text: text.slice(at, start), isMarked: false });
    pieces.push({ text: text.slice(start, end), isMarked: true });
    at = end;
  }
  if (at < text.length) pieces.push({ text: text.slice(at, last), isMarked: false });
  if (last < text.length) pieces.push({ text: "…", isMarked: false });
  return pieces;
}

/**
 * The newest hits that are meant; fewer once `isStale()`, when something else was typed. `isWhole` is false if there may be
 * more of them beyond what was looked through. Without words nothing but the filters chooses.
 */
export async function find(get, { words, filters, scope }, isStale) {
  const { from, ...place } = scope.params;
  const authors = words === "" && from !== undefined ? [from] : scope.authors; // only a search is told whose
  const isChosen = authors !== null || filters.before !== undefined || filters.after !== undefined;
  const limit = isChosen ? PAGE : SHOWN_MAX;
  const query = words === "" ? { limit, ...place } : { q: words, limit, ...scope.params };
  const next = words === "" ? pageOfAll : pageOfHits;
  const found = [];
  for (let page = 0; page < PAGES_MAX && !isStale(); page += 1) {
    const { hits, before } = await next(get, query);
    found.push(...hits.filter(({ message }) => fits(message, filters, authors)));
    if (found.length >= SHOWN_MAX || before === null) return { found: found.slice(0, SHOWN_MAX), isWhole: true };
    query.before = before;
  }
  return { found, isWhole: false };
}

/** Hits, newest first, and where to go on; null at the end. */
async function pageOfHits(get, query) {
  const { hits, before = null } = await get(`/api/v1/search?${new URLSearchParams(query)}`);
  return { hits, before };
}

/** The same, of all that was said. */
async function pageOfAll(get, query) {
  const { messages, before } = await get(`/api/v1/messages?${new URLSearchParams(query)}`);
  return { hits: messages.map((message) => ({ message, ranges: [] })).reverse(), before };
}

/** @param {import("../app.js").App} app */
export function open(app) {
  const { state, connection } = app;
  const dialog = openDialog("t-search");
  const field = dialog.querySelector("input");
  const status = dialog.querySelector("[role=status]");
  const finder = createFinder({
    field,
    list: dialog.querySelector("[role=listbox]"),
    draw: (hit) => hitParts(state, hit),
    take({ message }) {
      dialog.close();
      app.jumps.to(conversationOf(message, state.session.me), message.id);
    },
  });
  let timer = 0;
  let asked = 0;

  async function ask() {
    const { words, filters } = parseSearch(field.value);
    const turn = (asked += 1);
    if (words === "" && Object.keys(filters).length === 0) return show([], "search.empty");
    const scope = scopeOf(filters, { state, members: [...state.members.values()] });
    try {
      const get = (path) => connection.get(path);
      const { found, isWhole } =
        scope === null ? NOTHING : await find(get, { words, filters, scope }, () => turn !== asked);
      if (turn === asked) show(found, !isWhole ? "search.newest" : found.length === 0 ? "search.none" : "search.found");
    } catch {
      if (turn === asked) show([], "search.failed");
    }
  }

  function show(hits, key) {
    finder.show(hits);
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
  const head = make("span", "search-hit__head");
  head.append(nameOf(message.author, message.name, isShared(state, message.name)));
  head.append(make("span", "meta", conversationName(state, conversationOf(message, state.session.me))));
  head.append(make("span", "meta", whenText(Date.parse(message.time), Date.now())));
  const text = make("span", "search-hit__text");
  text.dir = "auto";
  text.append(...piecesOf(message.text, ranges).map((piece) => make(piece.isMarked ? "mark" : "span", "", piece.text)));
  return [head, text];
}
