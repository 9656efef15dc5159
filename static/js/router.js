// Which conversation is open, by the address: going somewhere, and showing it once enough of it is loaded.

import * as Storage from "./lib/storage.js";
import { conversation, defaultChannel } from "./model/conversations.js";
import { addressOf, openRoute, parseRoute, seenFromHere, settleRoute } from "./model/routes.js";
import { placeMarker } from "./model/unread.js";

const PENDING_MS = 1000;

/** @param {import("./app.js").App} app */
export function createRouter(app) {
  const { state, views } = app;
  openRoute(state, parseRoute(location.hash));

  /** Opens a conversation. It is shown only when enough of it is loaded, so that nothing jumps; or as it is after a while. */
  function open(id) {
    openRoute(state, { conversation: id });
    document.body.dataset.pane = "room";
    if (state.pendingRoute !== null) {
      app.timeline.empty();
      setTimeout(() => show(id), PENDING_MS);
    }
    app.events.emit("open", { conversation: id });
    app.composer.openConversation();
    views.touch("route");
    views.drawNow();
    fill(id);
  }

  /** Shows the open conversation with what is loaded of it. */
  function show(id) {
    if (state.pendingRoute !== id) return;
    settleRoute(state, id);
    views.touch("route");
    views.drawNow();
  }

  /** Loads what a page of messages could not hold yet; the marker goes where reading stopped. */
  async function fill(id) {
    const opened = conversation(state, id);
    const { marker } = opened;
    try {
      await app.load();
      const isMore = await app.pagination.fill(id);
      if (isMore && id === state.route.conversation && opened.marker === marker) placeMarker(state, id);
    } catch {
      // It comes with the next connection, or when the reader scrolls there.
    } finally {
      if (state.pendingRoute === id) show(id);
      else {
        views.touch("timeline", "conversations");
        views.drawNow();
      }
    }
  }

  function jumpTo(id, message, options) {
    return app.load().then(() => app.jumps.to(id, message, options));
  }

  addEventListener("popstate", () => {
    if (state.session.me === null || (location.hash !== "" && !location.hash.startsWith("#/"))) return;
    const { conversation: named, message } = parseRoute(location.hash, defaultChannel(state));
    const id = seenFromHere(state, named, message);
    if (id !== state.route.conversation) open(id);
    else if (message === null) app.events.emit("back");
    if (message !== null) jumpTo(id, message, { write: false });
  });
  addEventListener("pagehide", () => Storage.flush()); // after the composer has kept its draft

  return {
    /** Opens a conversation, with an entry in the browser's history. */
    go(id) {
      if (id !== state.route.conversation) history.pushState(null, "", addressOf(id));
      open(id);
    },

    show,

    /** The session begins: opens what the address names. */
    start() {
      const { conversation: id, message } = state.route;
      open(id);
      if (message !== null)
        jumpTo(id, message, { remember: false, write: false }).catch((error) => console.error(error));
    },

    /** The session goes on. If what was here is `gone`, the open conversation opens anew. */
    resume(gone) {
      const { conversation: id } = state.route;
      if (gone) placeMarker(state, id);
      fill(id); // its first try may have failed with the connection
    },
  };
}
