// The open conversation on the screen: its name, and its messages.

import { byId, setText } from "../lib/dom.js";
import { conversationName, openConversation } from "../model/conversations.js";
import { buildRows } from "./build_rows.js";
import { runMessageAction } from "./message_actions.js";
import { VirtualList } from "./virtual_list.js";

/** @param {import("../app.js").App} app */
export function mountTimeline(app) {
  const { state, views, events } = app;
  const list = new VirtualList({
    keyboard: app.keyboard,
    act: (id, row, part) => runMessageAction(id, row, app, part),
    edge: (which) => events.emit("edge", which),
  });

  views.add({
    topics: ["timeline", "operations", "hints", "route", "members", "session"],
    draw() {
      if (state.session.node === null) return;
      const id = state.route.conversation;
      setText(byId("title"), conversationName(state, id));
      if (state.pendingRoute === id) return;
      const { detached, unread, late } = openConversation(state);
      list.show(id, buildRows(state, id, Date.now()), { isTail: detached === null, unread, late });
    },
  });
  return list;
}
