// What counts as read: a message of which half was on the screen for half a second, in a tab that has the focus,
// with no dialog over it. Looks only while something is unread; a tab at rest has no timer.

import { isDialogOpen } from "../lib/dom.js";
import { openConversation } from "../model/conversations.js";
import { markSeen } from "../model/unread.js";

const SEEN_AFTER_MS = 500;
const LOOK_EVERY_MS = 250;

/** What was in sight for long enough: `look(ids, now)` with each look, `forget()` when the page is not attended. Pure. */
export function createWatch() {
  const since = new Map();
  return {
    look(ids, now) {
      const visible = new Set(ids);
      for (const id of since.keys()) {
        if (!visible.has(id)) since.delete(id);
      }
      for (const id of ids) {
        if (!since.has(id)) since.set(id, now);
      }
      return ids.filter((id) => now - since.get(id) >= SEEN_AFTER_MS);
    },
    forget: () => since.clear(),
  };
}

/** Whether the user can be reading: the tab has the focus, and no dialog lies over the messages. */
export const isWatched = () => document.hasFocus() && !isDialogOpen();

/** `visible()` gives the ids in sight, `unread()` how many are left, `seen(ids)` is told what was read. */
export function trackReading({ visible, unread, seen }) {
  const watch = createWatch();
  let timer = 0;
  function look() {
    timer = 0;
    if (!isWatched()) return watch.forget(); // until `wake`
    const ids = watch.look(visible(), performance.now());
    if (ids.length > 0) seen(ids);
    if (unread() > 0) timer = setTimeout(look, LOOK_EVERY_MS);
  }
  const wake = () => (timer ||= setTimeout(look, 0));
  document.addEventListener("close", wake, true); // of a dialog, which alone is told: what it covered can be read again
  return { wake };
}

export function install(app) {
  const { state, timeline } = app;
  const unread = () => openConversation(state).unread;
  const { wake } = trackReading({
    visible: () => (isWatched() ? timeline.visible() : []),
    unread,
    seen(ids) {
      const id = state.route.conversation;
      const before = unread();
      const arrival = markSeen(state, id, ids);
      if (arrival !== null || before !== unread()) app.tellRead(id, arrival);
    },
  });
  timeline.watch(wake);
  addEventListener("focus", wake);
}
