// What the browser's tab says: how much is unread, which room, who the user is, and whether the node is there.

import { t } from "../lib/i18n.js";
import { ownMember } from "../model/members/members.js";
import { isCut } from "../model/session.js";
import { unreadTotal } from "../model/unread.js";
import { ASSETS } from "../net/assets.js";

/** @param {import("../app.js").App} app */
export function install({ state, views, isBeingRead }) {
  let badge = 0;
  views.add({
    topics: ["conversations", "timeline", "operations", "members", "session", "route"],
    draw() {
      const { node } = state.session;
      if (node === null) return;
      const n = unreadTotal(state, isBeingRead);
      const title = t(n > 0 ? "title.unread" : "title.page", {
        room: node.room,
        name: ownMember(state)?.name ?? "",
        n,
      });
      if (document.title !== title) document.title = title;
      const file = isCut(state, Date.now()) ? "icon-cut.svg" : n > 0 ? "icon-unread.svg" : "icon.svg";
      const { href } = new URL(`images/${file}`, ASSETS);
      const icon = document.querySelector('link[rel="icon"]');
      if (icon.href !== href) icon.href = href;
      if (n === badge) return;
      badge = n;
      const badged = n > 0 ? navigator.setAppBadge?.(n) : navigator.clearAppBadge?.();
      badged?.catch(() => {}); // a bonus where the browser has it
    },
  });
}
