// Who is typing in the open conversation, and telling others that the user is. One setting turns both off.

import { byId, setText } from "../lib/dom.js";
import { listText } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { nameText } from "../lib/member_name.js";
import { fieldsOf } from "../model/conversations.js";
import { isShared } from "../model/members/name_index.js";
import { typingIn } from "../model/typing.js";

const SEND_EVERY_MS = 3000;
const NAMES_MAX = 2; // more are only counted

/** @param {import("../app.js").App} app */
export function install({ state, views, composer, connection }) {
  const place = byId("typing");
  let sent = { conversation: null, at: -Infinity };
  let timer = 0;

  views.add({
    topics: ["typing", "route", "members", "settings"],
    draw() {
      clearTimeout(timer);
      const now = Date.now();
      const typing = state.settings.typing ? typingIn(state, state.route.conversation, now) : new Map();
      setText(place, typingText(state, [...typing.keys()]));
      const next = Math.min(...typing.values());
      if (next < Infinity) timer = setTimeout(() => views.touch("typing"), next - now + 1);
    },
  });

  composer.inputHandlers.push((text) => {
    const { conversation } = state.route;
    const now = Date.now();
    const isSentLately = sent.conversation === conversation && now - sent.at < SEND_EVERY_MS;
    if (!state.settings.typing || text.trim() === "" || text.startsWith("/") || isSentLately) return;
    if (document.activeElement !== byId("field")) return; // a draft came back, or a text was put there
    if (connection.send({ type: "typing", ...fieldsOf(conversation) })) sent = { conversation, at: now };
  });
}

/** "Anna is typing", "Anna and Ben are typing", "3 people are typing"; nothing of members that the user muted. */
export function typingText(state, ids) {
  const members = ids.map((id) => state.members.get(id)).filter((member) => member && !member.muted && !member.blocked);
  const n = members.length;
  if (n === 0) return "";
  if (n > NAMES_MAX) return t("typing.many", { n });
  const names = members.map(({ id, name }) => nameText(id, name, isShared(state, name)));
  return t("typing.names", { n, names: listText(names) });
}
