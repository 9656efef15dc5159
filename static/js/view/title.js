// What the browser's tab says: how much is unread, which room, who we are, and whether the node is there.

import { t } from "../lib/texts.js";
import { PARTS } from "../parts.js";
import { unreadTotal } from "../unread.js";

let badge = 0;

export function drawTitle(state, { isCut, attended }) {
  const unread = unreadTotal(state, attended);
  const values = { room: state.node.room, name: state.members.get(state.me)?.name ?? "", n: unread };
  document.title = t(unread > 0 ? "title.unread" : "title.page", values);
  const file = isCut ? "icon-cut.svg" : unread > 0 ? "icon-unread.svg" : "icon.svg";
  const href = new URL(`images/${file}`, PARTS).href;
  const icon = document.querySelector('link[rel="icon"]');
  if (icon.href !== href) icon.href = href;
  if (unread === badge) return;
  badge = unread;
  const badged = unread > 0 ? navigator.setAppBadge?.(unread) : navigator.clearAppBadge?.();
  badged?.catch(() => {}); // a bonus where the browser has it
}
