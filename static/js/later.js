// Everything that can come a moment later than the messages and the field to type in: gathered here, so that
// main.js waits for one thing.

import { readChoices } from "./choices.js";
import { startJumps } from "./jumps.js";
import { byId, setText } from "./lib/dom.js";
import { t } from "./lib/texts.js";
import { startNotices } from "./notices.js";
import { startPages } from "./pages.js";
import { isWatched, startReading } from "./reading.js";
import { createRoom } from "./room.js";
import { run } from "./run.js";
import * as State from "./state.js";
import { forgetFar } from "./ranges.js";
import { see } from "./unread.js";
import { startActions } from "./view/actions.js";
import { mountAlone, showFindOthers } from "./view/alone.js";
import { Completion } from "./view/completion.js";
import { drawConnection } from "./view/connection.js";
import { showHelp } from "./view/dialogs.js";
import { mountFirstRun } from "./view/firstrun.js";
import { startHand } from "./view/hand.js";
import { startListKeys } from "./view/listkeys.js";
import { startMoving } from "./view/moving.js";
import { startPanes } from "./view/panes.js";
import { drawMended, keepRead } from "./view/mended.js";
import { drawConversations, drawMembers } from "./view/sides.js";
import { alarm, hush, speak } from "./view/spoken.js";
import { drawTitle } from "./view/title.js";

/** `page` is what main.js has: the state, the link, the list of messages, and the ways to go somewhere and to draw. */
export function start(page) {
  const { state, socket, timeline, composer, current, go, say, toNewest, draw, drawNow, reveal, toEnd } = page;
  const panes = startPanes();
  const pages = startPages({ state, socket, current, draw: drawNow });
  const room = createRoom({
    base: {
      go, say, pages, timeline,
      write: (text) => { composer.text = text; },
      showMembers: panes.openMembers,
      showHelp: () => showHelp({ me: state.me, open: current(), name: State.placeName(state, current()) }),
      known: () => State.rangeOf(State.conversation(state, current())),
      get isOpen() { return socket.isOpen; },
      get members() { return [...state.members.values()]; },
    },
    socket, current, drawn: toEnd, redrawn: drawNow,
  });
  const jumps = startJumps({ state, pages, timeline, current, go, toEnd, room, reveal });
  const notices = startNotices({ state, attended: page.attended, jump: jumps.to });
  const reading = startReading({
    visible: () => (isWatched() ? timeline.visible() : []),
    unread: () => State.conversation(state, current()).unread,
    seen(ids) {
      const before = State.conversation(state, current()).unread;
      const arrival = see(state, current(), ids);
      if (arrival !== null || before !== State.conversation(state, current()).unread) page.tellRead(arrival);
    },
  });
  const completion = new Completion({
    take: room.write,
    places: () => ({ channels: channelsOf(state), members: room.members }),
  });
  timeline.isByHand = startHand(byId("messages"));
  const dialogs = startMoving({ state, panes, room, current, go, toNewest, jumps, socket });
  startListKeys(timeline, startActions({ timeline, room, current, open: dialogs }));

  const context = { socket, state, replaced: (node) => (state.node = node) };
  byId("mended-close").addEventListener("click", () => {
    keepRead(state.node);
    drawMended(state.node);
    byId("field").focus();
  });
  byId("updated").addEventListener("click", () => location.reload());
  byId("find-others").addEventListener("click", () => showFindOthers(context));
  let isKnown = false; // whether it was asked who one is
  let unmountAlone = null;
  let timer = 0;
  function drawLine(back, unsavedTexts) {
    clearTimeout(timer);
    const wasCut = document.body.hasAttribute("data-cut");
    const again = drawConnection({ socket, state, back, unsavedTexts, now: Date.now() });
    if (wasCut !== document.body.hasAttribute("data-cut")) draw();
    if (unmountAlone !== null) byId("find-others").hidden = true; // it is already on the screen
    if (again !== null) timer = setTimeout(() => drawLine(back, unsavedTexts), again);
  }

  return {
    completion, dialogs, hush, jumps, notices, pages, panes, reading, room, run, speak,
    alarm: (notice) => alarm(notice, State.namesakes(state, notice.member, notice.name)),

    choices: () => readChoices(state.me),
    forgetFar: () => pages.isHeld || forgetFar(state, timeline.atEnd, () => timeline.firstVisible().id),
    /** What stands before the messages: who one is, at the first time, and help while nobody is here and nothing was said. */
    drawScene(key) {
      if (!isKnown) mountFirstRun({ state, room });
      isKnown = true;
      const known = State.conversation(state, key);
      const isAlone = key === State.GENERAL && State.othersInReach(state) === 0
        && known.floor === null && known.messages.every((m) => m.author === state.me);
      if (isAlone) unmountAlone ??= mountAlone(byId("scene"), context);
      else unmountAlone?.();
      if (!isAlone) unmountAlone = null;
    },

    drawSubtitle(key) {
      const direct = State.takerInReach(state, key) ? "room.direct" : "room.directWaits";
      const isChannel = key.startsWith("c:");
      const isCut = document.body.hasAttribute("data-cut");
      const everyone = isCut ? "members.lastKnown" : State.othersInReach(state) > 0 ? "room.everyone" : "room.alone";
      setText(byId("subtitle"), t(isChannel ? everyone : direct));
      const about = byId("show-profile");
      about.hidden = isChannel;
      setText(about, t("profile.about"));
      about.setAttribute("aria-label", t("profile.show", { name: State.placeName(state, key) }));
    },

    /** Everything but the messages. `parts` says what may have changed. */
    drawRest(parts, { open, hasDraft, attended: isAttended, back, unsavedTexts }) {
      drawLine(back, unsavedTexts);
      if (state.node === null) return;
      drawMended(state.node);
      const isCut = document.body.hasAttribute("data-cut");
      if (parts.people) drawMembers(state, { isCut, now: Date.now() });
      if (parts.people || parts.places) drawConversations(state, { open, hasDraft, isCut, attended: isAttended, people: parts.people });
      drawTitle(state, { isCut, attended: isAttended });
    },
  };
}

const channelsOf = (state) => [...state.conversations.values()]
  .filter(({ key, exists }) => exists && key.startsWith("c:")).map(({ key }) => key.slice(2));
