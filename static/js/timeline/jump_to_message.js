// Going to one message, wherever it is, and back to where the reader was. The address follows, so that a reload, the
// browser's own buttons and a copied link lead to the same message.

import { byId } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { conversation } from "../model/conversations.js";
import { leaveDetached } from "../model/message_ranges.js";
import { addressOf, parseRoute, setRouteMessage } from "../model/routes.js";

export function install(app) {
  app.jumps = createJumps(app);
}

function createJumps(app) {
  const { state, events, router, timeline } = app;
  const pill = byId("pill-back");
  let origin = null; // where the reader was before the first jump: { id, message, top }; without a message the end

  function setOrigin(place) {
    origin = place;
    pill.hidden = place === null;
  }

  /**
   * `remember`: to come back here; `write`: the address becomes that of the message; `top`: where it is to stand.
   *
   * @param {string} id the conversation
   * @param {string} message
   * @param {{ remember?: boolean, write?: boolean, top?: number }} [how]
   */
  async function to(id, message, { remember = true, write = true, top } = {}) {
    const first = timeline.firstVisible();
    const from = { id: state.route.conversation, message: timeline.atEnd ? null : first.id, top: first.top };
    const isElsewhere = id !== state.route.conversation;
    if (isElsewhere) router.go(id);
    try {
      await app.pagination.around(id, message);
    } catch (error) {
      return app.hint(t("jump.failed", { error: error.message }));
    }
    if (id !== state.route.conversation) return; // the reader went on meanwhile
    router.show(id);
    app.views.drawNow();
    timeline.toRow(timeline.keyOf(message), top);
    if (remember) setOrigin(origin ?? from);
    if (!write) return;
    setRouteMessage(state, message);
    history[isElsewhere ? "replaceState" : "pushState"](null, "", addressOf(id, message));
  }

  async function back() {
    if (origin === null) return;
    const { id, message, top } = origin;
    setOrigin(null);
    if (id !== state.route.conversation) router.go(id);
    else history.replaceState(null, "", addressOf(id));
    if (message === null) app.toEnd();
    else await to(id, message, { remember: false, write: false, top });
  }

  pill.addEventListener("click", back);
  events.on("back", back);
  /** The newest messages are shown again: there is nothing to go back to. */
  events.on("end", ({ conversation: id }) => {
    leaveDetached(state, conversation(state, id));
    setOrigin(null);
    setRouteMessage(state, null);
    if (parseRoute(location.hash).message !== null) history.replaceState(null, "", addressOf(id));
  });
  return { to, back };
}
