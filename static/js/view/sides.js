// What stands to both sides of the messages: the conversations and oneself, and the members.

import { byId, clone, fill, identicon, make, nameOf, setText, shortOf } from "../lib/dom.js";
import { byName, sinceText, spanText, t, whenText } from "../lib/texts.js";
import { addressOf, fold, inReach, isShared, listed, othersInReach, placeName } from "../state.js";
import { unreadIn } from "../unread.js";

const FILTER_ABOVE = 12; // members: fewer are seen at a glance
const CLOCK_WORTH_SAYING_MS = 60_000;
const MIB = 1024 * 1024;

// --- conversations ---

let drawn = ""; // all that is shown of the conversations

/**
 * `hasDraft(key)` says whether something was begun in a conversation, `attended(key)` whether its end is being read,
 * `people` whether somebody may be another than when this was drawn last.
 */
export function drawConversations(state, { open, hasDraft, isCut, attended, people }) {
  const name = (key) => placeName(state, key);
  const isOurs = (key) => key === open || hasDraft(key);
  const keys = listed(state, isOurs).sort((a, b) => rank(a) - rank(b) || byName(name(a), name(b)));
  const unreadOf = (key) => unreadIn(state.conversations.get(key), attended(key));
  const items = keys.map((key) => ({
    key, name: name(key), isOpen: key === open, hasDraft: key !== open && hasDraft(key), unread: unreadOf(key),
  }));
  const all = JSON.stringify([items, isCut]);
  if (!people && all === drawn) return; // most of what is said changes nothing here
  drawn = all;
  const channels = items.filter(({ key }) => key.startsWith("c:"));
  const direct = items.filter(({ key }) => key.startsWith("d:"));
  const groups = [listOf(state, "", "conversations.channels", channels)];
  if (direct.length > 0) groups.push(listOf(state, t("conversations.direct"), "conversations.direct", direct));
  keepingFocus(byId("conversation-list"), ".conversation", () => byId("conversation-list").replaceChildren(...groups));

  const unread = items.reduce((sum, item) => sum + (item.isOpen ? 0 : item.unread), 0);
  badge(byId("back-count"), unread);
  drawSelf(state, isCut);
}

const rank = (key) => (key === "c:general" ? 0 : 1);

function listOf(state, heading, label, items) {
  const group = make("section");
  if (heading) group.append(make("h2", "side-heading", heading));
  const list = make("ul", "conversations");
  list.setAttribute("role", "list");
  list.setAttribute("aria-label", t(label));
  list.append(...items.map((item) => conversationItem(state, item)));
  group.append(list);
  return group;
}

function conversationItem(state, { key, isOpen, hasDraft, unread }) {
  const item = clone("t-conversation");
  const link = item.querySelector(".conversation");
  link.href = addressOf(key);
  link.dataset.key = key;
  if (isOpen) link.setAttribute("aria-current", "page");
  link.classList.toggle("unread", unread > 0);
  const id = key.slice(2);
  const isDirect = key.startsWith("d:");
  link.querySelector(".glyph").append(isDirect ? identicon(id) : "#");
  link.querySelector(".label").append(isDirect ? memberName(state, id) : make("bdi", "", id));
  link.querySelector(".draft").hidden = !hasDraft;
  badge(link.querySelector(".badge"), unread);
  return item;
}

function badge(element, n) {
  element.hidden = n === 0;
  const shown = make("span", "", n > 999 ? "999+" : String(n));
  shown.setAttribute("aria-hidden", "true");
  element.replaceChildren(shown, make("span", "hidden-text", t("conversations.unread", { n })));
}

function drawSelf(state, isCut) {
  const me = state.members.get(state.me);
  if (!me) return;
  const fragment = clone("t-self");
  const others = othersInReach(state);
  fragment.querySelector(".mark").append(identicon(me.id));
  fragment.querySelector(".who").append(memberName(state, me.id));
  fragment.querySelector(".reach").textContent = isCut ? t("self.cut") : t("self.reach", { n: others });
  fragment.querySelector(".dot").classList.add(others > 0 ? "online" : "left");
  byId("self").replaceChildren(fragment);
  setText(byId("room"), state.node.room);
}

// --- members ---

export function drawMembers(state, { isCut, now }) {
  const all = [...state.members.values()];
  all.sort((a, b) => b.self - a.self || byName(a.name, b.name) || (a.id < b.id ? -1 : 1));
  const here = all.filter(inReach);
  const gone = all.filter((member) => !inReach(member)).sort((a, b) => Date.parse(b.since) - Date.parse(a.since));
  const others = othersInReach(state);
  setText(byId("members-count"), isCut ? t("members.lastKnown") : t("members.count", { n: others }));
  setText(byId("show-members"), t(isCut ? "members.showKnown" : "members.show", { n: here.length }));

  const lists = [memberList("members.in", here, false, state, now)];
  if (gone.length > 0) lists.push(memberList("members.out", gone, true, state, now));
  const place = byId("member-list");
  keepingFocus(place, ".member", () => place.replaceChildren(...lists));
  byId("member-filter").hidden = all.length <= FILTER_ABOVE;
  filterMembers();
}

/** Hides the members that are not meant by what stands in the filter; all stay in the document, for the browser's search. */
export function filterMembers() {
  const filter = byId("member-filter");
  const wanted = filter.hidden ? "" : fold(filter.value.trim());
  const members = [...byId("member-list").querySelectorAll(".member")];
  for (const member of members) {
    const { key: id, name } = member.dataset;
    const isMeant = fold(name).includes(wanted) || shortOf(id).startsWith(wanted);
    member.parentElement.hidden = !isMeant;
    if (!isMeant) member.tabIndex = -1;
  }
  const shown = members.filter((member) => !member.parentElement.hidden);
  if (!shown.some((member) => member.tabIndex === 0)) shown[0]?.setAttribute("tabindex", "0");
}

function memberList(label, members, withHeading, state, now) {
  const group = make("section");
  if (withHeading) group.append(make("h3", "side-heading", t(label)));
  const list = make("ul", "members");
  list.setAttribute("role", "list");
  list.setAttribute("aria-label", t(label));
  list.append(...members.map((member) => memberItem(state, member, now)));
  group.append(list);
  return group;
}

function memberItem(state, member, now) {
  const place = clone("t-member");
  const item = place.querySelector(".member");
  item.dataset.key = member.id;
  item.dataset.name = member.name;
  item.title = shortOf(member.id);
  item.classList.toggle("gone", !inReach(member));
  item.querySelector(".mark").append(identicon(member.id));
  const who = item.querySelector(".who");
  who.append(memberName(state, member.id));
  if (member.self) who.append(" ", make("span", "note", t("members.self")));
  if (member.verified) who.append("\u00a0", verifiedMark());
  const meta = item.querySelector(".meta");
  drawMeta(meta, state, member, now);
  // The other states are in the words already; this one only a green dot would say.
  if (member.state === "online") meta.append(make("span", "hidden-text", `, ${t("member.inReach")}`));
  item.querySelector(".dot").classList.add(member.state);
  return place;
}

/** How somebody is called now, with the short id where that is needed. */
export function memberName(state, id) {
  const { name = "" } = state.members.get(id) ?? {};
  return nameOf(id, name, isShared(state, name));
}

/** Somebody whose safety words were compared. */
export function verifiedMark() {
  const mark = make("span", "verified", "✓");
  mark.title = t("member.verified");
  mark.setAttribute("role", "img"); // which its title names
  return mark;
}

function drawMeta(meta, state, member, now) {
  const since = Date.parse(member.since);
  const address = member.addresses[0] ?? t("member.nowhere");
  if (member.state === "online" && !member.direct && member.via) {
    fill(meta, "member.via", { address, name: memberName(state, member.via), when: sinceText(since, now) });
  } else {
    const when = inReach(member) ? sinceText(since, now) : whenText(since, now);
    meta.textContent = t(`member.${member.state}`, { address, when });
  }
  if (member.state !== "online" && member.addresses[0]) meta.title = member.addresses[0];
  if (member.forked) meta.append(make("br"), make("span", "warn", t("member.forked")));
  // Where the disk is the reason it is everybody's, and stands below the room.
  if (member.closed && member.closed !== "disk") {
    meta.append(make("br"), make("span", "warn", t(`member.closed.${member.closed}`, { mib: Math.ceil(member.bytes / MIB) })));
  }
  const error = member.clock_error_ms ?? 0;
  if (!inReach(member) || Math.abs(error) < CLOCK_WORTH_SAYING_MS) return;
  const clock = t(error > 0 ? "member.ahead" : "member.behind", { span: spanText(Math.abs(error)) });
  meta.append(make("br"), make("span", "warn", clock));
}

/** One stop for Tab; the arrows go from member to member. */
export function moveAmongMembers(event) {
  const rows = [...byId("member-list").querySelectorAll("li:not([hidden]) > .member")];
  const index = rows.indexOf(document.activeElement);
  const goal = { ArrowUp: index - 1, ArrowDown: index + 1, Home: 0, End: rows.length - 1 }[event.key];
  if (index < 0 || goal === undefined || !rows[goal]) return;
  event.preventDefault();
  rows[index].tabIndex = -1;
  rows[goal].tabIndex = 0;
  rows[goal].focus();
}

export function focusMembers() {
  (byId("member-list").querySelector('li:not([hidden]) > .member[tabindex="0"]') ?? byId("members-title")).focus();
}

/** Draws a list anew without taking the focus away from whoever is in it. */
function keepingFocus(place, selector, draw) {
  const active = document.activeElement;
  const focused = place.contains(active) ? active.closest(selector)?.dataset.key : undefined;
  draw();
  if (focused === undefined) return;
  const again = place.querySelector(`${selector}[data-key="${CSS.escape(focused)}"]`) ?? place.querySelector(selector);
  if (again?.classList.contains("member")) again.tabIndex = 0;
  again?.focus({ preventScroll: true });
}

/** The conversation before or after this one, around the ends; with `unreadOnly`, the next that has something new. */
export function stepFrom(state, key, step, unreadOnly) {
  const keys = [...byId("conversation-list").querySelectorAll(".conversation")].map((link) => link.dataset.key);
  const from = keys.indexOf(key);
  for (let i = 1; i <= keys.length; i += 1) {
    const next = keys[(from + i * step + i * keys.length) % keys.length];
    if (next !== key && (!unreadOnly || state.conversations.get(next).unread > 0)) return next;
  }
  return null;
}
