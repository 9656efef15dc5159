// How one row of the timeline looks. A row is made once and drawn again when it changes, in place:
// a receipt changes a word in it and nothing else on the screen.

import { clone, fill, identicon, isLoneEmoji, make, nameOf, nameText, renderSpans, shortOf } from "../lib/dom.js";
import { beginningOf, beginningOfText } from "../lib/clip.js";
import { dayText, fullTimeText, listParts, t, timeText } from "../lib/texts.js";

const TEMPLATES = { message: "t-message", notice: "t-notice", fold: "t-fold", hint: "t-hint" };
const NAMES_MAX = 3; // in a folded row; more become "and 4 others"
export function makeRow(row) {
  const element = clone(TEMPLATES[row.type] ?? "t-separator");
  element.dataset.key = row.key;
  return element;
}

export function drawRow(element, row) {
  DRAW[row.type](element, row);
}

const DRAW = {
  message: drawMessage,
  notice: (element, row) => {
    element.classList.toggle("alarm", row.alarm);
    drawNotice(element.querySelector(".line"), row);
    drawTime(element.querySelector(".time"), row.notice.at, timeText(row.notice.at));
  },
  fold: drawFold,
  hint: drawHint,
  day: (element, row) => {
    element.classList.add("day");
    element.querySelector(".label").textContent = dayText(row.at, Date.now());
  },
  new: (element) => {
    element.classList.add("new");
    element.querySelector(".label").textContent = t("row.new");
  },
  begin: (element, { key }) => {
    element.classList.add("begin");
    element.querySelector(".label").textContent = t(`row.${key}`);
  },
};

/** Hundreds of these are in the list: each has the parts that it needs and no more. */
function drawMessage(element, row) {
  element.classList.toggle("head", row.head);
  element.classList.toggle("hooray", row.kind === "hooray");
  element.classList.toggle("emoji", isLoneEmoji(row.text));
  const body = element.querySelector(".body");
  while (body.previousSibling) body.previousSibling.remove();
  body.before(...(row.head ? headOf(row) : [make("bdi", "hidden-text", nameText(row.author, row.name, row.shared))]));
  body.replaceChildren();
  drawSaid(body, row);

  const full = row.skewed ? t("row.skewed", { time: fullTimeText(row.at) }) : fullTimeText(row.at);
  drawTime(element.querySelector(".time"), row.at, row.head ? timeText(row.at) : null, full);
  element.classList.toggle("skewed", row.skewed);
  drawState(element, row);
}

/** What was said: of a long message the beginning, unless the reader has unfolded it. */
function drawSaid(body, row) {
  const said = row.spans ?? [{ type: "text", text: row.text || (row.kind === "hooray" ? t("hooray.text") : "") }];
  const { spans, isCut } = beginningOf(said);
  renderSpans(body, row.open ? said : spans);
  const next = body.nextElementSibling;
  const more = next.classList.contains("more") ? next : null;
  if (!isCut) return more?.remove();
  const button = more ?? clone("t-more");
  button.setAttribute("aria-expanded", String(row.open));
  button.textContent = t(row.open ? "row.less" : "row.more");
  if (!more) body.after(button);
}

function headOf(row) {
  const parts = [identicon(row.author), nameOf(row.author, row.name, row.shared)];
  parts.forEach((part, i) => part.classList.add(i === 0 ? "mark" : "who"));
  return parts;
}

/** A time to be seen in short and heard in `full`; without `text` only to be heard. */
function drawTime(time, at, text, full = fullTimeText(at)) {
  time.dateTime = new Date(at).toISOString();
  time.classList.toggle("hidden-text", text === null);
  if (text === null) return (time.textContent = full);
  time.title = full;
  const shown = make("span", "", text);
  shown.setAttribute("aria-hidden", "true");
  time.replaceChildren(shown, make("span", "hidden-text", full));
}

function drawState(element, row) {
  let after = element.querySelector(".after");
  if (row.code === null) return after?.remove();
  if (!after) element.querySelector(".time").after((after = clone("t-after")));
  after.classList.toggle("only-hover", !row.shown);
  const state = stateOf(after, row.arrival !== Infinity);
  state.className = `state state-${row.code}`;
  state.textContent = t(`state.${row.code}`, { k: row.k, n: row.n, error: row.error ?? "" });
  const failed = row.code === "failed";
  element.querySelector(".retry").hidden = !failed;
  element.querySelector(".delete").hidden = !failed;
}

/** Where the state stands in words: once the message is in the node, a button that tells who holds it. */
function stateOf(after, isStored) {
  const state = after.querySelector(".state");
  if ((state.tagName === "BUTTON") === isStored) return state;
  const other = make(isStored ? "button" : "span");
  if (isStored) {
    Object.assign(other, { type: "button", tabIndex: -1 }); // Enter on the row leads there too
    other.dataset.act = "holders";
  }
  state.replaceWith(other);
  return other;
}

function drawNotice(line, row) {
  const { kind, member, name } = row.notice;
  if (kind === "conflict" && row.known) return drawConflict(line, row);
  const was = row.was ? nameOf(member, row.was, false) : make("code", "short", shortOf(member));
  const key = `notice.${kind}`;
  // Whoever takes a known name is told apart by the short id, whatever else is known.
  fill(line, key, { name: nameOf(member, name, row.shared || kind === "conflict"), was });
}

/** Whoever takes a known name, and whom they could be taken for: each with the short id, which nobody can take. */
function drawConflict(line, { notice, known, alarm }) {
  const others = known.split("\n").map((one) => nameOf(one.slice(0, one.indexOf(" ")), one.slice(one.indexOf(" ") + 1), true));
  fill(line, alarm ? "notice.imposter" : "notice.namesake", { name: nameOf(notice.member, notice.name, true), others: listed(others) });
}

function drawFold(element, row) {
  const button = element.querySelector(".unfold");
  const list = element.querySelector(".folded");
  button.setAttribute("aria-expanded", String(row.open));
  const line = element.querySelector(".line");
  line.replaceChildren();
  for (const [kind, people] of row.groups) {
    if (line.hasChildNodes()) line.append(" · ");
    const part = make("span");
    fill(part, `fold.${kind}`, { n: people.length, names: namesOf(people) });
    line.append(part);
  }
  list.hidden = !row.open;
  list.replaceChildren(...(row.open ? row.run.map(noticeItem) : []));
}

function noticeItem(row) {
  const item = make("li");
  const line = make("span", "line");
  drawNotice(line, row);
  item.append(line, " ", make("span", "meta", timeText(row.notice.at)));
  return item;
}

/** "Ana, Ben and 3 others" */
function namesOf(people) {
  const shown = people.length > NAMES_MAX ? people.slice(0, NAMES_MAX - 1) : people;
  const elements = shown.map(({ notice, shared }) => nameOf(notice.member, notice.name, shared));
  if (shown.length < people.length) elements.push(make("span", "", t("fold.others", { n: people.length - shown.length })));
  return listed(elements);
}

/** Elements with what a language puts between the parts of a list. */
function listed(elements) {
  const list = make("span");
  list.append(...listParts(elements.map((_, i) => String(i))).map(({ type, value }) => (type === "element" ? elements[value] : value)));
  return list;
}

function drawHint(element, { hint }) {
  element.querySelector(".line").textContent = hint.text;
  const actions = element.querySelector(".actions");
  actions.replaceChildren(...(hint.actions ?? []).map(({ label, run }) => {
    const button = make("button", "link", label);
    button.type = "button";
    button.addEventListener("click", run);
    return button;
  }));
}

/** One line for those who hear the page instead of seeing it. */
export function spokenLine(message, shared) {
  return t("log.message", { name: nameText(message.author, message.name, shared), text: beginningOfText(message.text) });
}
