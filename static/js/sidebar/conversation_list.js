// The conversations, and the user below them.

import { byId, clone, drawIfChanged, make, setText } from "../lib/dom.js";
import { byName } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { identicon, opensProfile } from "../lib/identicon.js";
import { conversationName, defaultChannel, isDirect, listedConversations } from "../model/conversations.js";
import { draftOf } from "../model/storage/drafts.js";
import { othersInReach, ownMember } from "../model/members/members.js";
import { addressOf } from "../model/routes.js";
import { isCut } from "../model/session.js";
import { isHidden, isMuted } from "../model/storage/settings.js";
import { mentionsIn, unreadIn } from "../model/unread.js";
import { keepingFocus } from "./keep_focus.js";
import { memberName } from "./member_list.js";

/** @param {import("../app.js").App} app */
export function install(app) {
  const { state, views } = app;
  const place = byId("conversation-list");
  views.add({
    topics: ["conversations", "timeline", "operations", "members", "session", "route", "drafts", "settings"],
    draw() {
      if (state.session.node === null) return;
      const items = conversationItems(state, app.isBeingRead);
      drawIfChanged(place, items, () => drawConversations(place, state, items));
      const unread = items.reduce((sum, item) => sum + (item.isOpen ? 0 : item.unread), 0);
      drawIfChanged(byId("back-count"), [unread], (badge) => drawBadge(badge, unread));
      drawSelf(state);
    },
  });
  place.addEventListener("click", (event) => {
    const link = event.target.closest(".conversation");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    app.router.go(link.dataset.key);
    app.composer.focus();
  });
}

/** The conversations in the order of the list, with all that is shown of each. */
export function conversationItems(state, isBeingRead) {
  const open = state.route.conversation;
  const hasDraft = (id) => draftOf(state, id) !== "";
  const listed = listedConversations(state, (id) => id === open || hasDraft(id));
  const ids = listed.filter((id) => id === open || hasDraft(id) || !isHidden(state, state.conversations.get(id)));
  const items = ids.map((id) => ({
    id,
    name: conversationName(state, id),
    isOpen: id === open,
    isMuted: isMuted(state, id),
    hasDraft: id !== open && hasDraft(id),
    unread: unreadIn(state.conversations.get(id), isBeingRead(id)),
    mentions: isBeingRead(id) ? 0 : mentionsIn(state, state.conversations.get(id)),
  }));
  const first = defaultChannel(state);
  const rank = ({ id }) => (id === first ? 0 : isDirect(id) ? 2 : 1);
  // What was unread when it was opened keeps its place while it is open, so that the next one is still below it.
  const wasUnread = ({ id, isOpen }) => isOpen && state.conversations.get(id).marker !== null;
  const isNoticed = (item) => Number(!item.isMuted && (item.unread > 0 || wasUnread(item)));
  const last = ({ id }) => lastArrival(state.conversations.get(id));
  const byNews = (a, b) => isNoticed(b) - isNoticed(a) || last(b) - last(a);
  const order = state.settings.sort === "name" ? () => 0 : byNews;
  return items.sort((a, b) => rank(a) - rank(b) || order(a, b) || byName(a.name, b.name));
}

/** The arrival number of the last message, or where nothing is loaded, about that. */
const lastArrival = ({ newest, read }) => newest || read;

/** The conversation before or after the open one, around the ends; with `unreadOnly`, the next that has something new. */
export function conversationBeside(state, isBeingRead, step, unreadOnly) {
  const items = conversationItems(state, isBeingRead);
  const from = items.findIndex(({ isOpen }) => isOpen);
  for (let i = 1; i <= items.length; i += 1) {
    const next = items[(from + i * step + i * items.length) % items.length];
    if (!next.isOpen && (!unreadOnly || state.conversations.get(next.id).unread > 0)) return next.id;
  }
  return null;
}

function drawConversations(place, state, items) {
  const channels = items.filter(({ id }) => !isDirect(id));
  const direct = items.filter(({ id }) => isDirect(id));
  const groups = [listOf(state, "", "conversations.channels", channels)];
  if (direct.length > 0) groups.push(listOf(state, t("conversations.direct"), "conversations.direct", direct));
  keepingFocus(place, ".conversation", () => place.replaceChildren(...groups));
}

function listOf(state, heading, label, items) {
  const group = make("section");
  if (heading) group.append(make("h2", "sidebar__heading", heading));
  const list = make("ul", "conversation-list");
  list.setAttribute("role", "list");
  list.setAttribute("aria-label", t(label));
  list.append(...items.map((item) => conversationItem(state, item)));
  group.append(list);
  return group;
}

function conversationItem(state, { id, name, isOpen, isMuted: muted, hasDraft, unread, mentions }) {
  const item = clone("t-conversation");
  const link = item.querySelector(".conversation");
  const { peer, channel } = state.conversations.get(id);
  link.href = addressOf(id);
  link.dataset.key = id;
  if (isOpen) link.setAttribute("aria-current", "page");
  link.classList.toggle("conversation--unread", unread > 0 && !muted);
  link.classList.toggle("conversation--muted", muted);
  link.querySelector(".conversation__icon").append(peer ? identicon(peer) : "#");
  link.querySelector(".conversation__name").append(peer ? memberName(state, peer) : make("bdi", "", channel));
  link.querySelector(".conversation__draft").hidden = !hasDraft;
  if (muted)
    link.querySelector(".conversation__name").after(make("span", "conversation__draft", t("conversation.muted")));
  const mentioned = link.querySelector(".badge--mention");
  mentioned.hidden = mentions === 0;
  mentioned.setAttribute("aria-label", t("conversations.mentions", { n: mentions }));
  drawBadge(link.querySelector(".badge:not(.badge--mention)"), unread);
  const menu = make("button", "conversation__menu button button--ghost", "⋯");
  Object.assign(menu, { type: "button", tabIndex: -1 }); // the arrow to the right opens the menu too
  menu.setAttribute("aria-label", t("conversation.actionsFor", { name }));
  menu.setAttribute("aria-haspopup", "menu");
  item.append(menu);
  return item;
}

function drawBadge(element, n) {
  element.hidden = n === 0;
  const shown = make("span", "", n > 999 ? "999+" : String(n));
  shown.setAttribute("aria-hidden", "true");
  element.replaceChildren(shown, make("span", "hidden-text", t("conversations.unread", { n })));
}

function drawSelf(state) {
  const me = ownMember(state);
  if (!me) return;
  setText(byId("room"), state.session.node.room);
  const others = othersInReach(state);
  const cut = isCut(state, Date.now());
  drawIfChanged(byId("self"), [conversationName(state, `d:${me.id}`), others, cut], (place) => {
    const button = opensProfile(make("button", "self__open"), me.id);
    button.type = "button";
    button.title = t("profile.show", { name: me.name });
    const fragment = clone("t-self");
    fragment.querySelector(".self__icon").append(identicon(me.id));
    fragment.querySelector(".self__name").append(memberName(state, me.id));
    fragment.querySelector(".self__reach-text").textContent = cut ? t("self.cut") : t("self.reach", { n: others });
    fragment.querySelector(".dot").classList.toggle("dot--online", others > 0);
    button.append(fragment);
    place.replaceChildren(button);
  });
}
