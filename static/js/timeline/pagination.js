// Loads what is not here of a conversation: older and newer pages, and the part around one message. One page at a time;
// what fails can simply be asked for again.

import { t } from "../lib/i18n.js";
import { conversation, fieldsOf, rangeOf } from "../model/conversations.js";
import { forgetFar, takeAround, takeNewer, takeOlder } from "../model/message_ranges.js";
import { isShort, unseenOf } from "../model/unread.js";

const PAGE = 100;
const UNREAD_MAX = 500; // how many are fetched to find where reading stopped
const FILLS_MAX = 4; // pages fetched for that at most: a page of long messages ends early

export function install(app) {
  app.pagination = createPagination(app);
}

function createPagination({ state, views, events, connection, timeline }) {
  let loading = null;

  async function fetchPage(id, place, take) {
    await loading?.catch(() => {});
    if (!connection.isOpen) throw new Error(t("connection.cut"));
    const query = new URLSearchParams({ ...fieldsOf(id), ...place() });
    loading = connection.get(`/api/v1/messages?${query}`);
    try {
      const taken = take(state, id, await loading, Date.now());
      views.touch("timeline");
      if (id === state.route.conversation) views.drawNow();
      return taken;
    } finally {
      loading = null;
    }
  }

  const range = (id) => rangeOf(conversation(state, id));
  const pagination = {
    isHeld: false, // nothing may be released: the reader goes far back, and is not there yet

    /** Loads older messages of the open conversation. Returns how many came; fails if the node is not there. */
    older(limit = PAGE) {
      const id = state.route.conversation;
      if (range(id).floor === null) return 0;
      return fetchPage(id, () => ({ before: range(id).floor, limit: String(limit) }), takeOlder);
    },

    newer() {
      const id = state.route.conversation;
      return fetchPage(id, () => ({ after: range(id).ceiling, limit: String(PAGE) }), takeNewer);
    },

    /** Makes sure that a message is loaded. Fails if the node does not have it in this conversation. */
    async around(id, message) {
      const isLoaded = () => range(id).messages.some((m) => m.id === message);
      if (isLoaded()) return;
      await fetchPage(id, () => ({ around: message, limit: String(PAGE) }), takeAround);
      if (!isLoaded()) throw new Error(t("jump.gone"));
    },

    /** Fills a conversation of which little is loaded, or not all that is unread. Returns whether anything came. */
    async fill(id) {
      const filled = conversation(state, id);
      if (!isShort(state, filled) || !connection.isOpen) return false;
      let wanted = Math.min(UNREAD_MAX, PAGE + Math.max(0, filled.unread - unseenOf(state, filled).length));
      let came = 0;
      const goesOn = () => wanted > 0 && id === state.route.conversation && isShort(state, filled);
      for (let i = 0; i < FILLS_MAX && goesOn(); i += 1) {
        const count = await pagination.older(wanted);
        if (count === 0) break;
        came += count;
        wanted -= count;
      }
      return came > 0;
    },
  };

  /** What comes when the reader nears an edge: one page, and never a second while it is on its way. */
  events.on("edge", (which) => {
    if (loading === null) pagination[which]()?.catch?.(() => {});
  });
  views.add({
    topics: ["timeline", "route"],
    draw() {
      if (pagination.isHeld || state.pendingRoute !== null) return;
      if (forgetFar(state, timeline.atEnd, () => timeline.firstVisible().id)) views.touch("timeline");
    },
  });
  return pagination;
}
