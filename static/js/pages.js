// Fetches what is not loaded of a conversation: older and newer pages, and the part around one message. One page at
// a time; what fails can simply be asked for again.

import { t } from "./lib/texts.js";
import { takeAround, takeNewer, takeOlder } from "./ranges.js";
import { conversation, isShort, placeOfKey, rangeOf, unseenOf } from "./state.js";

const PAGE = 100;
const UNREAD_MAX = 500; // how many are fetched to find where reading stopped
const FILLS_MAX = 4; // pages fetched for that at most: a page of long messages ends early

/** `current()` is the conversation that is open, `draw()` shows what came. */
export function startPages({ state, socket, current, draw }) {
  let loading = null;

  async function fetchPage(key, place, take) {
    await loading?.catch(() => {});
    if (!socket.isOpen) throw new Error(t("connection.cut"));
    const query = new URLSearchParams({ ...placeOfKey(key), ...place() });
    loading = socket.get(`/api/v1/messages?${query}`);
    try {
      const taken = take(state, key, await loading, Date.now());
      if (key === current()) draw();
      return taken;
    } finally {
      loading = null;
    }
  }

  const range = (key) => rangeOf(conversation(state, key));
  const pages = {
    isHeld: false, // nothing may be let go of: somebody goes far back, and is not there yet

    /** Loads older messages. Answers how many came; fails if the node is not there. */
    older(limit = PAGE) {
      const key = current();
      if (range(key).floor === null) return 0;
      return fetchPage(key, () => ({ before: range(key).floor, limit: String(limit) }), takeOlder);
    },

    newer() {
      const key = current();
      return fetchPage(key, () => ({ after: range(key).ceiling, limit: String(PAGE) }), takeNewer);
    },

    /** Makes sure that a message is loaded. Fails if the node does not hold it in this conversation. */
    async around(key, id) {
      const isLoaded = () => range(key).messages.some((m) => m.id === id);
      if (isLoaded()) return;
      await fetchPage(key, () => ({ around: id, limit: String(PAGE) }), takeAround);
      if (!isLoaded()) throw new Error(t("jump.gone"));
    },

    /** Fills a conversation of which little is loaded, or not all that is unread. Answers whether anything came. */
    async fill() {
      const key = current();
      const known = conversation(state, key);
      if (!isShort(state, known) || !socket.isOpen) return false;
      let wanted = Math.min(UNREAD_MAX, PAGE + Math.max(0, known.unread - unseenOf(state, known).length));
      let came = 0;
      for (let i = 0; i < FILLS_MAX && wanted > 0 && key === current() && isShort(state, known); i += 1) {
        const count = await pages.older(wanted);
        if (count === 0) break;
        came += count;
        wanted -= count;
      }
      return came > 0;
    },

    /** What comes when the reader nears an edge: one page, and never a second while it is on its way. */
    edge(which) {
      if (loading === null) pages[which]()?.catch?.(() => {});
    },
  };
  return pages;
}
