// Going to one message, wherever it is, and back to where one was.

import { byId } from "./lib/dom.js";
import { t } from "./lib/texts.js";
import { leavePast } from "./ranges.js";
import { conversation } from "./state.js";

export function startJumps({ state, pages, timeline, current, go, toEnd, room, drawNow }) {
  const pill = byId("pill-back");
  let origin = null; // where the reader was before the first jump: { key, id }, or id null for the end

  function setOrigin(place) {
    origin = place;
    pill.hidden = place === null;
  }

  async function to(key, id, { remember = true } = {}) {
    const from = { key: current(), id: timeline.atEnd ? null : timeline.firstVisible() };
    if (key !== current()) go(key);
    try {
      await pages.around(key, id);
    } catch (error) {
      return room.hint(t("jump.failed", { error: error.message }));
    }
    if (key !== current()) return; // the reader went on meanwhile
    drawNow();
    timeline.toRow(timeline.keyOf(id));
    if (remember) setOrigin(origin ?? from);
  }

  pill.addEventListener("click", async () => {
    const { key, id } = origin;
    setOrigin(null);
    if (id !== null) return to(key, id, { remember: false });
    if (key !== current()) go(key);
    toEnd();
  });

  return {
    to,
    /** The newest messages are shown again: there is nothing to go back to. */
    leave(key) {
      leavePast(state, conversation(state, key));
      setOrigin(null);
    },
  };
}
