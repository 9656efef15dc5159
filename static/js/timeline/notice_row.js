// The rows that tell of members: who came, went, and took which name.

import { fill, make } from "../lib/dom.js";
import { listParts, timeText } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { nameOf, opensProfile } from "../lib/identicon.js";
import { shortOf } from "../lib/member_name.js";

const NAMES_MAX = 3; // in a folded row; more become "and 4 others"

export function drawNotice(line, row) {
  const { kind, member, name } = row.notice;
  if (row.namesakes.length > 0) return drawConflict(line, row);
  const was = row.was ? nameOf(member, row.was, false) : make("code", "short-id", shortOf(member));
  const key = `notice.${kind}`;
  // A member that takes another name, or a known one, is shown with the short id, whatever else is known.
  const isNamed = row.isShared || kind === "conflict" || kind === "renamed";
  fill(line, key, { name: profileName(member, name, isNamed), was });
}

/** A member who takes a known name, and those it could be taken for: each with the short id, which no other key has. */
function drawConflict(line, { notice, namesakes, isAlarm, isOwnName }) {
  const others = listed(namesakes.map(({ id, name }) => profileName(id, name, true)));
  fill(line, isAlarm ? "notice.imposter" : isOwnName ? "notice.ownName" : "notice.namesake", {
    name: profileName(notice.member, notice.name, true),
    others,
  });
}

const profileName = (id, name, shared) => opensProfile(nameOf(id, name, shared), id);

export function drawFold(element, row) {
  const button = element.querySelector(".notice__toggle");
  const list = element.querySelector(".notice__list");
  button.setAttribute("aria-expanded", String(row.isOpen));
  const line = element.querySelector(".notice__text");
  line.replaceChildren();
  for (const [kind, people] of row.groups) {
    if (line.hasChildNodes()) line.append(" · ");
    const part = make("span");
    if (kind === "renamed" && people.length === 1) drawNotice(part, people[0]);
    else fill(part, `fold.${kind}`, { n: people.length, names: namesOf(people, kind === "renamed") });
    line.append(part);
  }
  list.hidden = !row.isOpen;
  list.replaceChildren(...(row.isOpen ? row.run.map(noticeItem) : []));
}

function noticeItem(row) {
  const item = make("li");
  const line = make("span", "notice__text");
  drawNotice(line, row);
  item.append(line, " ", make("span", "meta", timeText(row.notice.at)));
  return item;
}

/** "Ana, Ben and 3 others" */
function namesOf(people, isNamed) {
  const shown = people.length > NAMES_MAX ? people.slice(0, NAMES_MAX - 1) : people;
  const elements = shown.map(({ notice, isShared }) => nameOf(notice.member, notice.name, isShared || isNamed));
  if (shown.length < people.length)
    elements.push(make("span", "", t("fold.others", { n: people.length - shown.length })));
  return listed(elements);
}

/** Elements with what a language puts between the parts of a list. */
function listed(elements) {
  const list = make("span");
  list.append(
    ...listParts(elements.map((_, i) => String(i))).map(({ type, value }) =>
      type === "element" ? elements[value] : value,
    ),
  );
  return list;
}
