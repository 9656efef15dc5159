// The members, in reach and out of it.

import { byId, clone, fill, make, setText } from "../lib/dom.js";
import { byName, sinceText, spanText, whenText } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { identicon, nameOf } from "../lib/identicon.js";
import { shortOf } from "../lib/member_name.js";
import { moveFocus } from "../lib/roving_focus.js";
import { confusableKey } from "../model/members/confusables.js";
import { inReach, othersInReach } from "../model/members/members.js";
import { isShared } from "../model/members/name_index.js";
import { isCut } from "../model/session.js";
import { keepingFocus } from "./keep_focus.js";

const FILTER_ABOVE = 12; // members: fewer are seen at a glance
const CLOCK_WORTH_SAYING_MS = 60_000;
const MIB = 1024 * 1024;

/** @param {import("../app.js").App} app */
export function install(app) {
  const { state, views } = app;
  const place = byId("member-list");
  views.add({ topics: ["members", "session"], draw: () => state.session.node && drawMembers(state, Date.now()) });
  place.addEventListener("click", (event) => {
    const id = event.target.closest(".member")?.dataset.key;
    if (!id) return;
    app.layout.closeMembers();
    app.openDialog("profile", id);
  });
  place.addEventListener("keydown", (event) => {
    // One stop for Tab; the arrows go from member to member.
    const members = shownMembers();
    const before = document.activeElement;
    if (!members.includes(before) || !moveFocus(event, members)) return;
    before.tabIndex = -1;
    document.activeElement.tabIndex = 0;
  });
  byId("member-filter").addEventListener("input", filterMembers);
}

export function focusMembers() {
  (shownMembers().find(({ tabIndex }) => tabIndex === 0) ?? byId("members-title")).focus();
}

const shownMembers = () => [...byId("member-list").querySelectorAll("li:not([hidden]) > .member")];

function drawMembers(state, now) {
  const cut = isCut(state, now);
  const all = [...state.members.values()];
  all.sort((a, b) => b.self - a.self || byName(a.name, b.name) || (a.id < b.id ? -1 : 1));
  const here = all.filter(inReach);
  const gone = all.filter((member) => !inReach(member)).sort((a, b) => Date.parse(b.since) - Date.parse(a.since));
  const count = t("members.count", { n: othersInReach(state) });
  setText(byId("members-count"), cut ? t("members.lastKnown") : count);
  setText(byId("show-members"), cut ? t("members.showKnown", { n: here.length }) : count);

  const lists = [memberList("members.in", here, false, state, now)];
  if (gone.length > 0) lists.push(memberList("members.out", gone, true, state, now));
  const place = byId("member-list");
  keepingFocus(place, ".member", () => place.replaceChildren(...lists));
  byId("member-filter").hidden = all.length <= FILTER_ABOVE;
  filterMembers();
}

/** Hides the members that are not meant by what stands in the filter; all stay in the document, for the browser's search. */
function filterMembers() {
  const filter = byId("member-filter");
  const wanted = filter.hidden ? "" : confusableKey(filter.value.trim());
  const members = [...byId("member-list").querySelectorAll(".member")];
  for (const member of members) {
    const { key: id, name } = member.dataset;
    const isMeant = confusableKey(name).includes(wanted) || shortOf(id).startsWith(wanted);
    member.parentElement.hidden = !isMeant;
    if (!isMeant) member.tabIndex = -1;
  }
  const shown = members.filter((member) => !member.parentElement.hidden);
  if (!shown.some((member) => member.tabIndex === 0)) shown[0]?.setAttribute("tabindex", "0");
}

function memberList(label, members, withHeading, state, now) {
  const group = make("section");
  if (withHeading) group.append(make("h3", "sidebar__heading", t(label)));
  const list = make("ul", "member-list");
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
  item.classList.toggle("member--away", !inReach(member));
  item.querySelector(".member__icon").append(identicon(member.id));
  const who = item.querySelector(".member__name");
  who.append(memberName(state, member.id));
  if (member.self) who.append(" ", make("span", "member__note", t("members.self")));
  if (member.blocked) who.append(" ", make("span", "member__note", t("members.blocked")));
  if (member.verified) who.append("\u00a0", verifiedMark());
  const status = item.querySelector(".member__status");
  setText(status, member.status ?? "");
  status.hidden = !member.status;
  const meta = item.querySelector(".member__meta");
  drawMeta(meta, state, member, now);
  // The other states are in the words already; this one only a green dot would say.
  if (member.state === "online") meta.append(make("span", "hidden-text", `, ${t("member.inReach")}`));
  item.querySelector(".dot").classList.add(`dot--${member.state}`);
  return place;
}

/** Returns a member's name, with the short id where another member has that name too. */
export function memberName(state, id) {
  const { name = "" } = state.members.get(id) ?? {};
  return nameOf(id, name, isShared(state, name));
}

/** The mark of a member whose safety words were compared. */
export function verifiedMark() {
  const mark = make("span", "verified-mark", "✓");
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
  if (member.forked) meta.append(make("br"), make("span", "warning-text", t("member.forked")));
  // A full disk is said in the line below the field.
  if (member.closed && member.closed !== "disk") {
    meta.append(
      make("br"),
      make("span", "warning-text", t(`member.closed.${member.closed}`, { mib: Math.ceil(member.bytes / MIB) })),
    );
  }
  const error = member.clock_error_ms ?? 0;
  if (!inReach(member) || Math.abs(error) < CLOCK_WORTH_SAYING_MS) return;
  const clock = t(error > 0 ? "member.ahead" : "member.behind", { span: spanText(Math.abs(error)) });
  meta.append(make("br"), make("span", "warning-text", clock));
}
