// The heading of the open conversation: whom it reaches, and the profile of the other member.

import { byId, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { conversationName, peerOf } from "../model/conversations.js";
import { hasReachableRecipient } from "../model/members/members.js";
import { isCut } from "../model/session.js";

/** @param {import("../app.js").App} app */
export function install(app) {
  const { state, views } = app;
  const profile = byId("show-profile");
  views.add({
    topics: ["route", "members", "session", "conversations"],
    draw() {
      if (state.session.node === null) return;
      const id = state.route.conversation;
      const peer = peerOf(id);
      const note = topicOf(state, id, peer) || t(subtitle(state, id, peer));
      setText(byId("subtitle"), note);
      byId("subtitle").title = note;
      profile.hidden = peer === null;
      setText(profile, t("profile.about"));
      profile.setAttribute("aria-label", t("profile.show", { name: conversationName(state, id) }));
    },
  });
  profile.addEventListener("click", () => app.openDialog("profile", peerOf(state.route.conversation)));
}

/** What a channel is about, or what the other member says of themselves. */
const topicOf = (state, id, peer) =>
  peer === null ? state.conversations.get(id)?.topic : state.members.get(peer)?.status;

function subtitle(state, id, peer) {
  const isReachable = hasReachableRecipient(state, id);
  if (peer !== null) return isReachable ? "room.direct" : "room.directWaits";
  if (isCut(state, Date.now())) return "members.lastKnown";
  return isReachable ? "room.everyone" : "room.alone";
}
