// The page put together: one object that holds the state and everything that acts on it. How to add a feature:
//
// 1. A file of its own (features/NAME.js) with `install(app)`, and one line for it in features.js.
// 2. What it shows follows the state: `app.views.add({ topics, draw })`. What comes from the node changes the state:
//    `frames.on(type, handler)` (model/frames.js); a handler returns the topics that it changed.
// 3. What the user does with a message: `messageActions.push(…)` (timeline/message_actions.js). What stands in a row:
//    `setRowPart(slot, part)`, `addBodyMark(…)` and `addRowClass(…)` (timeline/message_row.js). What is sent and shown
//    before the node has confirmed it: `operationKinds.NAME = …` (model/operations.js) and `app.outbox.add("NAME", …)`.
//    What the composer does with a text: `composerModes.NAME = …` (composer/modes.js). What it completes: `completionSources` (composer/autocomplete.js).
//    Keys: `app.keyboard.add(…)`. What has happened and is no state: `app.events.on(…)`.
// 4. Its texts in locales/en.js. What is large is loaded with `import()` when it is asked for.

import { Composer } from "./composer/composer.js";
import { createKeyboard } from "./keyboard/shortcuts.js";
import { byId, isDialogOpen } from "./lib/dom.js";
import { createEvents } from "./lib/events.js";
import { createScheduler } from "./lib/scheduler.js";
import * as Storage from "./lib/storage.js";
import { conversationOf, defaultChannel, fieldsOf } from "./model/conversations.js";
import { loadDrafts } from "./model/storage/drafts.js";
import { applyFrame } from "./model/frames.js";
import { clearHint, setHint } from "./model/hints.js";
import { markUnanswered } from "./model/operations.js";
import { isCut, millisUntilCut, setBack, setConnection } from "./model/session.js";
import { loadSettings } from "./model/storage/settings.js";
import { createState } from "./model/state.js";
import { toggleUnfolded } from "./model/ui.js";
import { loadStyles } from "./net/assets.js";
import { clearMarker, markRead } from "./model/unread.js";
import { Connection } from "./net/connection.js";
import { createOutbox } from "./net/outbox.js";
import { createRequests } from "./net/requests.js";
import { createRouter } from "./router.js";

const BACK_SHOWN_MS = 3000;
const TOAST_MS = 2000;

/** What stands for the list of messages until that is loaded: nothing is shown, and the end is where it will begin. */
const NO_TIMELINE = { atEnd: true, hold() {}, toEnd() {}, empty() {} };

const ofMessage = async (name) => ({ open: (await import("./dialogs/message_dialogs.js"))[name] });

/** What a dialog is loaded from, when it is asked for; each module has `open(app, argument)`. */
const DIALOGS = {
  block: () => import("./dialogs/block.js"),
  deleteMessage: () => ofMessage("openDelete"),
  emoji: () => import("./features/emoji_picker.js"),
  exit: () => import("./dialogs/exit.js"),
  files: () => import("./dialogs/files.js"),
  findPeers: () => import("./features/find_peers.js"),
  help: () => import("./dialogs/help.js"),
  lightbox: () => import("./dialogs/lightbox.js"),
  profile: () => import("./dialogs/profile.js"),
  reactions: () => ofMessage("openReactions"),
  receipts: () => ofMessage("openReceipts"),
  search: () => import("./dialogs/search.js"),
  settings: () => import("./dialogs/settings.js"),
  switcher: () => import("./dialogs/switcher.js"),
  versions: () => ofMessage("openVersions"),
};

/** @typedef {ReturnType<typeof createApp>} App */

export function createApp() {
  const state = createState();
  const views = createScheduler();
  const events = createEvents();
  const connection = new Connection({
    resume: () => (state.session.run === null ? {} : { after: state.session.arrival, run: state.session.run }),
    frame: (frame) => mounted.then(() => receive(frame)),
    changed: onConnection,
  });
  const requests = createRequests(connection);
  const outbox = createOutbox({ state, views, connection });
  let mount;
  const mounted = new Promise((resolve) => (mount = resolve));
  let loading = null;
  let cutTimer = 0;
  let toastTimer = 0;

  const app = {
    state,
    views,
    events,
    connection,
    outbox,
    keyboard: createKeyboard(),
    timeline: NO_TIMELINE,

    /** Says something in the open conversation. */
    say(text, { kind = "say", fields = {} } = {}) {
      const room = defaultChannel(state);
      if (kind === "hooray" && state.route.conversation !== room) app.router.go(room); // it greets the whole room
      const { conversation } = state.route;
      const files = kind === "say" ? app.composer.attachments.take(conversation) : {};
      outbox.add(kind, { text, conversation, fields: { ...fields, ...files } });
      clearMarker(state, conversation);
      app.toEnd();
    },

    /** Has the node do something that is no operation; fails with a sentence for the user. */
    command: (name, text) => requests.send({ type: "command", name, ...(text ? { text } : {}) }),

    /** Sends a frame that is answered with `done`; fails with a sentence for the user. */
    request: requests.send,

    // --- reading ---

    /** Whether the end of a conversation is being read right now. */
    isBeingRead: (id) =>
      id === state.route.conversation && document.hasFocus() && app.timeline.atEnd && !isDialogOpen(),

    /** Tells the node how far a conversation is read, if that moved. */
    tellRead(id, arrival) {
      if (arrival !== null) connection.send({ type: "read", ...fieldsOf(id), arrival });
      views.touch("timeline", "conversations");
    },

    /** Everything in these conversations is read. */
    markRead(ids) {
      for (const id of ids) {
        clearMarker(state, id);
        const arrival = markRead(state, id);
        if (arrival !== null) app.tellRead(id, arrival);
      }
      views.touch("timeline", "conversations");
    },

    /** Goes to the newest message, after which nothing is unread. */
    toNewest() {
      const { conversation } = state.route;
      app.markRead([conversation]);
      app.toEnd();
      app.composer.focus();
    },

    /** Shows the end of the open conversation. */
    toEnd() {
      events.emit("end", { conversation: state.route.conversation });
      views.touch("timeline");
      views.drawNow();
      app.timeline.toEnd();
    },

    toggleUnfolded(key) {
      toggleUnfolded(state, key);
      views.touch("timeline");
      app.timeline.refold(key, views.drawNow);
    },

    // --- telling the user ---

    announce(text) {
      byId("announce").textContent = text;
    },

    /** Says for a moment that something was done which shows nowhere. */
    toast(text) {
      app.announce(text);
      const toast = byId("toast");
      toast.textContent = text;
      toast.hidden = false;
      clearTimeout(toastTimer);
      toastTimer = setTimeout(() => (toast.hidden = true), TOAST_MS);
    },

    /** A line in the open conversation that only this user sees, with things to do: `{ label, run }`. */
    hint(text, actions = []) {
      const { conversation } = state.route;
      const close = (run) => () => {
        clearHint(state, conversation);
        app.composer.focus();
        run();
        app.toEnd();
      };
      setHint(state, conversation, {
        id: crypto.randomUUID(),
        at: Date.now(),
        text,
        actions: actions.map(({ label, run }) => ({ label, run: close(run) })),
      });
      app.announce(text);
      app.toEnd();
    },

    /** A hint that stands right before a message: the reader stays where they are. */
    note(text, before) {
      setHint(state, state.route.conversation, { id: crypto.randomUUID(), at: Date.now(), text, before, actions: [] });
      views.touch("hints");
      views.drawNow();
    },

    // --- what is loaded later ---

    /** Loads what is not needed to type: the list of messages, then all features. Once, and again if that failed. */
    load() {
      loading ??= load();
      loading.catch(() => (loading = null));
      return loading;
    },

    /**
     * Opens a dialog. Resolves to what it was asked for, if it asks.
     *
     * @param {keyof typeof DIALOGS} name
     * @param {any} [argument]
     * @returns {Promise<any>}
     */
    async openDialog(name, argument) {
      const { open } = await DIALOGS[name]();
      return open(app, argument);
    },
  };
  app.router = createRouter(app);
  app.composer = new Composer(app);
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-dialog]");
    if (button) app.openDialog(button.dataset.dialog, button.dataset.argument);
  });
  byId("try-now").addEventListener("click", () => connection.tryNow());
  return app;

  async function load() {
    const [timeline, features] = [import("./timeline/timeline.js"), import("./features.js")];
    const styles = loadStyles("css/later.css");
    features.catch(() => {}); // told below
    const { mountTimeline } = await timeline;
    if (app.timeline === NO_TIMELINE) app.timeline = mountTimeline(app);
    mount();
    const [{ install }] = await Promise.all([features, styles]);
    install(app);
    views.touch("timeline");
    events.settle();
  }

  // --- frames ---

  function receive(frame) {
    views.noteFrame();
    const { type, ref } = frame;
    const isAnswer = type === "done" || type === "error";
    if (isAnswer && (Storage.answered(ref, type === "done") || requests.settle(frame))) return;
    const before = { me: state.session.me, cut: isCut(state, Date.now()), operation: state.operations.get(ref) };
    if (type === "welcome") {
      setConnection(state, connection.status);
      Storage.begin(frame, (change) => connection.send(change));
    }
    const context = { now: Date.now(), isBeingRead: app.isBeingRead, emit: events.emit };
    views.touch(...applyFrame(state, frame, context));
    if (type === "welcome") welcome(frame, before);
    if (before.operation) onAnswer(frame, before.operation);
  }

  function onAnswer({ type, message }, { conversation }) {
    outbox.pump();
    if (type !== "said") return;
    // The node cleans the names of channels: what was said is in the one that it says.
    const id = conversationOf(message, state.session.me);
    if (conversation === state.route.conversation && id !== conversation) app.router.go(id);
  }

  async function welcome(frame, { me, cut }) {
    if (me !== null && me !== state.session.me) return location.reload(); // another node has taken this port
    document.documentElement.dataset.ready = "";
    byId("slow").hidden = true;
    loadSettings(state);
    if (me === null) {
      loadDrafts(state); // before the composer opens a conversation, and keeps what stands in it
      app.router.start();
      await outbox.restore();
      app.composer.adopt();
    } else {
      app.router.resume(frame.reset);
    }
    if (cut) noteBack(frame);
    outbox.pump();
  }

  function noteBack({ reset, messages }) {
    setBack(state, { fresh: reset ? 0 : messages.filter(({ author }) => author !== state.session.me).length });
    views.touch("session");
    setTimeout(() => {
      setBack(state, null);
      views.touch("session");
    }, BACK_SHOWN_MS);
  }

  function onConnection(how) {
    setConnection(state, how);
    clearTimeout(cutTimer);
    if (how.phase !== "open") {
      markUnanswered(state);
      requests.cutOff();
      const left = millisUntilCut(state, Date.now());
      if (left > 0) cutTimer = setTimeout(() => views.touch("session"), left);
    }
    views.touch("session");
  }
}
