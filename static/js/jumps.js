// Going to one message, wherever it is, and back to where one was. The address follows, so that a reload, the browser's
// own buttons and a copied link lead to the same message.

import { byId } from "./lib/dom.js";
import { t } from "./lib/texts.js";
import { leavePast } from "./ranges.js";
import { addressOf, conversation, placeOfAddress } from "./state.js";

export function startJumps({ state, pages, timeline, current, go, toEnd, room, reveal }) {
  const pill = byId("pill-back");
  let origin = null; // where the reader was before the first jump: { key, id, top }, or id null for the end

  function setOrigin(place) {
    origin = place;
    pill.hidden = place === null;
  }

  /** `remember`: so that one can go back; `write`: the address becomes that of the message; `top`: where it is to stand. */
  async function to(key, id, { remember = true, write = true, top } = {}) {
    const from = { ...timeline.firstVisible(), key: current() };
    if (timeline.atEnd) from.id = null;
    const isElsewhere = key !== current();
    if (isElsewhere) go(key);
    try {
      await pages.around(key, id);
    } catch (error) {
      return room.hint(t("jump.failed", { error: error.message }));
    }
    if (key !== current()) return; // the reader went on meanwhile
    reveal();
    timeline.toRow(timeline.keyOf(id), top);
    if (remember) setOrigin(origin ?? from);
    if (write) history[isElsewhere ? "replaceState" : "pushState"](null, "", addressOf(key, id));
  }

  async function back() {
    if (origin === null) return;
    const { key, id, top } = origin;
    setOrigin(null);
    if (key !== current()) go(key);
    else history.replaceState(null, "", addressOf(key));
    if (id === null) toEnd();
    else await to(key, id, { remember: false, write: false, top });
  }

  pill.addEventListener("click", back);

  return {
    to,
    back,
    /** The newest messages are shown again: there is nothing to go back to. */
    leave(key) {
      leavePast(state, conversation(state, key));
      setOrigin(null);
      if (placeOfAddress(location.hash).id !== null) history.replaceState(null, "", addressOf(key));
    },
  };
}
