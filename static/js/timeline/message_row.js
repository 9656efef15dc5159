// How a message looks: a row of parts, each drawn again only if it changed. So a receipt changes a word, and selected
// text, the focus on a link and an open menu stay as they are.

import { clone, make, setText } from "../lib/dom.js";
import { isLoneEmoji } from "../lib/emoji.js";
import { beginningOf } from "../lib/excerpt.js";
import { fullTimeText, timeText } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { identicon, nameOf, opensProfile } from "../lib/identicon.js";
import { nameText } from "../lib/member_name.js";
import { renderSpans } from "../lib/rich_text.js";
import { rowFields } from "./build_rows.js";
import { drawTime } from "./row_time.js";

// How a delivery status looks, where it has a look of its own.
const LOOKS = {
  some: "delivery--received",
  all: "delivery--received",
  node: "delivery--stored",
  waiting: "delivery--pending",
  saved: "delivery--pending",
  savedDirect: "delivery--pending",
  failed: "delivery--failed",
};

/** @typedef {import("./build_rows.js").MessageRow} MessageRow */

/** @typedef {import("../types.d.ts").RowPart} RowPart */

/** The places of a row, in the order in which they are read. */
const SLOTS = ["author", "quote", "body", "attachment", "reactions", "time", "status"];

/** @type {Partial<Record<string, RowPart>>} */
const rowParts = {
  author: {
    same: (a, b) =>
      a.isHead === b.isHead &&
      a.isShared === b.isShared &&
      a.message.author === b.message.author &&
      a.message.name === b.message.name,
    draw: drawAuthor,
  },
  body: {
    same: (a, b) =>
      a.isOpen === b.isOpen &&
      a.message.kind === b.message.kind &&
      a.message.text === b.message.text &&
      a.message.deleted === b.message.deleted &&
      a.message.edited === b.message.edited &&
      sameSpans(a.message.spans, b.message.spans),
    draw: drawBody,
  },
  time: {
    same: (a, b) => a.isHead === b.isHead && a.message.at === b.message.at && a.message.skewed === b.message.skewed,
    draw: drawMessageTime,
  },
  status: {
    has: ({ code }) => code !== null,
    same: (a, b) =>
      a.code === b.code &&
      a.k === b.k &&
      a.n === b.n &&
      a.error === b.error &&
      a.isStatusShown === b.isStatusShown &&
      a.isPending === b.isPending,
    draw: drawStatus,
  },
};

/** @type {((row: MessageRow) => Node | null)[]} */
const bodyMarks = [];

/** @type {[string, (row: MessageRow) => boolean][]} */
const rowClasses = [];

/** Adds what stands behind the text, such as "edited"; nothing for most messages. */
export function addBodyMark(mark) {
  bodyMarks.push(mark);
  redrawAll();
}

/** Adds a class that some rows have. */
export function addRowClass(name, has) {
  rowClasses.push([name, has]);
  redrawAll();
}

let look = 0;

/** Features may be loaded after the first rows were drawn. */
function redrawAll() {
  look += 1;
  rowFields.look = () => look;
  rowParts.body = { ...rowParts.body };
}

/** Sets what stands in a slot of every message, such as "reactions". @param {RowPart} part */
export function setRowPart(slot, part) {
  if (!SLOTS.includes(slot)) throw new Error(`a message has no slot called ${slot}`);
  rowParts[slot] = part;
  redrawAll();
}

const drawnParts = new WeakMap(); // element -> Map(slot -> { part, row, element })

export function drawMessage(element, row) {
  let drawn = drawnParts.get(element);
  if (!drawn) drawnParts.set(element, (drawn = new Map()));
  const focused = element.contains(document.activeElement);
  for (const [name, has] of rowClasses) element.classList.toggle(name, has(row));
  let next = null; // where a part that has no slot yet goes: before the first later one that has
  for (const name of SLOTS.toReversed()) {
    const part = rowParts[name];
    const before = drawn.get(name);
    if (!part || part.has?.(row) === false) {
      before?.element.remove();
      drawn.delete(name);
      continue;
    }
    const slot = before?.element ?? makeSlot(name);
    if (!before) element.insertBefore(slot, next ?? element.querySelector(":scope > .message__tools"));
    if (before?.part !== part || !part.same(before.row, row)) part.draw(slot, row, element);
    drawn.set(name, { part, row, element: slot });
    next = slot;
  }
  // What had the focus may be gone, and then the row has it.
  if (focused && !element.contains(document.activeElement)) element.focus({ preventScroll: true });
}

function makeSlot(name) {
  const slot = make("div");
  slot.dataset.slot = name;
  return slot;
}

/** Equal spans may come as new ones, when something else of the message changed. */
function sameSpans(a, b) {
  return a === b || (a !== null && b !== null && JSON.stringify(a) === JSON.stringify(b));
}

// --- author and time ---

function drawAuthor(slot, { isHead, isShared, isOwn, message: { author, name } }, element) {
  element.classList.toggle("message--head", isHead);
  if (!isHead) return slot.replaceChildren(make("bdi", "hidden-text", nameText(author, name, isShared)));
  const mark = identicon(author);
  const who = nameOf(author, name, isShared);
  mark.classList.add("message__icon");
  who.classList.add("message__author");
  if (isOwn) who.append(" ", make("span", "member__note", t("members.self")));
  slot.replaceChildren(opensProfile(mark, author), opensProfile(who, author));
}

function drawMessageTime(slot, { isHead, message: { at, skewed } }, element) {
  const time = slot.firstElementChild ?? make("time", "message__time");
  const full = skewed ? t("row.skewed", { time: fullTimeText(at) }) : fullTimeText(at);
  drawTime(time, at, isHead ? timeText(at) : null, full);
  if (!time.isConnected) slot.append(time);
  element.classList.toggle("message--skewed", skewed);
}

// --- body ---

/** What was written: of a long message the beginning, unless the reader has unfolded it. */
function drawBody(slot, row, element) {
  const { isOpen, message } = row;
  const { kind, text, deleted } = message;
  const told = deleted ? [{ type: "text", text: t("row.deleted") }] : message.spans;
  element.classList.toggle("message--deleted", Boolean(deleted));
  element.classList.toggle("message--hooray", kind === "hooray");
  element.classList.toggle("message--emoji", isLoneEmoji(text));
  const whole = told ?? [{ type: "text", text: text || (kind === "hooray" ? t("hooray.text") : "") }];
  const { spans, isCut } = beginningOf(whole);
  let body = slot.querySelector(".message__body");
  if (!body) {
    body = make("div", "message__body");
    body.dir = "auto";
    slot.append(body);
  }
  body.replaceChildren();
  renderSpans(body, isOpen ? whole : spans);
  if (!deleted) body.append(...bodyMarks.map((mark) => mark(row)).filter((mark) => mark !== null));
  const more = slot.querySelector(".message__more");
  if (!isCut) return more?.remove();
  const button = more ?? clone("t-message-more");
  button.setAttribute("aria-expanded", String(isOpen));
  button.textContent = t(isOpen ? "row.less" : "row.more");
  if (!more) slot.append(button);
}

// --- status ---

function drawStatus(slot, row) {
  if (!slot.firstElementChild) slot.append(clone("t-message-status"));
  const after = slot.firstElementChild;
  after.classList.toggle("message__status--quiet", !row.isStatusShown);
  const words = wordsOf(after, !row.isPending);
  words.className = `delivery ${LOOKS[row.code] ?? ""}`;
  const isChange = row.code === "failed" && !row.isPending;
  words.textContent = t(isChange ? "state.unchanged" : `state.${row.code}`, {
    k: row.k,
    n: row.n,
    error: row.error ?? "",
  });
  const isFailed = row.code === "failed";
  after.querySelector(".message__retry").hidden = !isFailed;
  after.querySelector(".message__delete").hidden = !isFailed;
  setText(after.querySelector(".message__delete"), t(isChange ? "row.discard" : "row.delete"));
}

/** The status in words: once the message is in the node, a button that tells who has it. */
function wordsOf(after, isStored) {
  const words = after.querySelector(".delivery");
  if ((words.tagName === "BUTTON") === isStored) return words;
  const other = make(isStored ? "button" : "span");
  if (isStored) {
    Object.assign(other, { type: "button", tabIndex: -1 }); // Enter on the row leads there too
    other.dataset.act = "receipts";
  }
  words.replaceWith(other);
  return other;
}
