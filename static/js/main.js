// The page put together: the only module that knows all the others. Frames change the state, the state is
// drawn once a frame, and what the user does goes to the outbox or to the node. What is not needed to read
// and to type is loaded afterwards.

import * as Outbox from "./outbox.js";
import { buildRows, dayOf } from "./rows.js";
import { Socket, takeKeyFromAddress } from "./socket.js";
import * as State from "./state.js";
import { byId } from "./lib/dom.js";
import { t } from "./lib/texts.js";
import { Composer, readDraft } from "./view/composer.js";
import { Timeline } from "./view/timeline.js";

const PAGE = 100;
const SENDING_SHOWN_AFTER_MS = 410;
const READ_AFTER_MS = 500;
const BACK_SHOWN_MS = 3000;
const DAY_CHECK_MS = 30_000;
const JOY_FRESH_MS = 10_000;

const state = State.create();
const outbox = Outbox.create();
const hints = new Map(); // conversation -> the one line in it that only this user sees
const unfolded = new Set(); // keys of the folded rows that are open
const calls = new Map(); // ref -> {resolve, reject} of a command on its way
const keyNews = new BroadcastChannel("roomful.key"); // tells the other tabs of a new link

let openKey = keyFromAddress();
let store = null;
let later = null; // the modules that were loaded afterwards
let back = null; // {fresh, until}: the link is back, and what came meanwhile
let loading = null; // the page of older messages that is on its way
let nodeKnowsRead = true;
let unmountAlone = null;

const socket = new Socket({
  resume: () => (state.run === null ? {} : { after: state.arrival, run: state.run }),
  frame: onFrame,
  changed: onLink,
});
const timeline = new Timeline({ older: () => loading ?? loadOlder().catch(() => {}), act: onRow, moved: readSoon });
const composer = new Composer({
  send: submit,
  typed: () => later?.completion.update(),
  keys: (event) => later?.completion.key(event) ?? false,
  grown: () => timeline.hold(),
});

// --- frames ---

function onFrame(frame) {
  const now = Date.now();
  if (frame.type === "error") return onError(frame);
  if (frame.type === "done") return settle(frame.ref, (call) => call.resolve());
  if (frame.type === "said") onSaid(frame);
  const wasMe = state.me;
  const names = state.names.size;
  const { said, live } = State.apply(state, frame, { now, attended });
  if (frame.type === "welcome") onWelcome(frame, wasMe);
  if (said && live) onLive(said, now);
  const people = frame.type === "welcome" || frame.type === "member" || state.names.size !== names;
  draw({ rows: true, people, places: true });
}

function onSaid({ ref, message }) {
  const item = outbox.items.find((one) => one.ref === ref);
  if (item?.met && item.met !== message.id) state.refs.delete(item.met);
  Outbox.answered(outbox, ref);
  saveOutbox();
  settle(ref, (call) => call.resolve());
  pump();
}

function onError({ ref, error, message }) {
  if (error === "unknown_type" && !ref) nodeKnowsRead = false;
  if (!ref) return;
  if (calls.has(ref)) return settle(ref, (call) => call.reject(new Error(message || error)));
  Outbox.refused(outbox, ref, error, message);
  saveOutbox();
  pump();
  draw({ rows: true });
}

async function onWelcome(frame, wasMe) {
  if (wasMe !== null && wasMe !== state.me) return location.reload(); // another node has taken this port
  for (const message of frame.messages) {
    if (message.author !== state.me || state.refs.has(message.id)) continue;
    const item = Outbox.meet(outbox, message);
    if (item) {
      item.met = message.id;
      state.refs.set(message.id, item.ref);
    }
  }
  document.documentElement.dataset.ready = "";
  byId("slow").hidden = true;
  if (wasMe === null) {
    turnTo(openKey);
    await restoreOutbox();
  } else if (frame.reset) {
    State.openConversation(state, openKey);
  }
  if (document.body.hasAttribute("data-cut")) noteBack(frame);
  loadLater().catch(() => {}); // if its first try failed with the link
  fillShort();
  pump();
  draw();
}

function noteBack({ reset, messages }) {
  back = { fresh: reset ? 0 : messages.filter((message) => message.author !== state.me).length };
  setTimeout(() => {
    back = null;
    draw({ rows: false });
  }, BACK_SHOWN_MS);
}

/** Something was said just now. */
function onLive(message, now) {
  const own = message.author === state.me;
  if (!own && State.keyOf(message, state.me) === openKey) later?.speak(message, State.isShared(state, message.name));
  if (message.kind === "hooray" && Math.abs(now - Date.parse(message.time)) < JOY_FRESH_MS) {
    import("./view/joy.js").then(({ celebrate }) => celebrate());
  }
}

function onLink() {
  if (!socket.isOpen) {
    Outbox.cutOff(outbox);
    for (const ref of [...calls.keys()]) settle(ref, (call) => call.reject(new Error(t("connection.cut"))));
  }
  draw();
}

function settle(ref, act) {
  const call = calls.get(ref);
  calls.delete(ref);
  if (call) act(call);
}

// --- saying ---

function submit(text) {
  hints.delete(openKey);
  State.clearLine(state, openKey);
  if (!text.startsWith("/")) return room.say(text);
  loadLater().then(({ run }) => run(room, text)).catch(() => {
    composer.text = text; // its part could not be loaded: nothing is lost, and it can be tried again
  });
}

function pump() {
  for (const item of Outbox.due(outbox)) {
    if (!socket.send(Outbox.frameOf(item))) return;
    Outbox.sent(outbox, item.ref);
  }
  saveOutbox();
}

function saveOutbox() {
  store?.save(Outbox.pack(outbox), outbox.items.length === 0);
}

async function restoreOutbox() {
  const { openStore } = await import("./store.js");
  store = await openStore(state.me);
  const restored = store.texts.flatMap((text) => Outbox.unpack(text, Date.now()).items);
  outbox.items = [...restored.filter((item) => !Outbox.has(outbox, item.ref)), ...outbox.items];
  saveOutbox();
}

/** What the commands may do. */
const room = {
  get isOpen() {
    return socket.isOpen;
  },
  say(text, kind = "say") {
    if (kind === "hooray" && openKey !== State.GENERAL) go(State.GENERAL); // it greets the whole room
    const ref = crypto.randomUUID();
    // Half of a surrogate pair is no text: the node would refuse the whole frame.
    Outbox.add(outbox, { ref, text: text.toWellFormed?.() ?? text, kind, key: openKey, at: Date.now() });
    State.clearLine(state, openKey);
    pump();
    setTimeout(() => Outbox.has(outbox, ref) && draw({ rows: true }), SENDING_SHOWN_AFTER_MS);
    drawNow();
    timeline.toEnd();
  },
  command(name, text) {
    const ref = crypto.randomUUID();
    return new Promise((resolve, reject) => {
      calls.set(ref, { resolve, reject });
      if (!socket.send({ type: "command", ref, name, ...(text ? { text } : {}) })) {
        settle(ref, (call) => call.reject(new Error(t("connection.cut"))));
      }
    });
  },
  hint(text, actions = []) {
    const done = (run) => () => {
      hints.delete(openKey);
      draw({ rows: true });
      composer.focus();
      run();
    };
    hints.set(openKey, {
      id: crypto.randomUUID(), at: Date.now(), text,
      actions: actions.map(({ label, run }) => ({ label, run: done(run) })),
    });
    room.announce(text);
    drawNow();
    timeline.toEnd();
  },
  announce(text) {
    byId("announce").textContent = text;
  },
  write(text) {
    composer.text = text;
  },
  showMembers: () => later.panes.openMembers(),
  known: () => State.conversation(state, openKey),
  timeline,
  loadOlder,
};

// --- reading ---

/** Whether somebody looks at the end of this conversation right now. */
function attended(key) {
  return key === openKey && document.hasFocus() && timeline.atEnd && !document.querySelector("dialog[open]");
}

let readTimer = 0;
function readSoon() {
  clearTimeout(readTimer);
  readTimer = setTimeout(() => {
    if (!attended(openKey) || state.me === null) return;
    const arrival = State.markRead(state, openKey);
    State.trim(state, openKey);
    if (arrival === null) return;
    if (nodeKnowsRead) socket.send({ type: "read", ...readTarget(openKey), arrival });
    draw({ rows: false, places: true });
  }, READ_AFTER_MS);
}

const readTarget = (key) => (key.startsWith("d:") ? { with: key.slice(2) } : { channel: key.slice(2) });

/** Loads a page of older messages, one at a time. Answers how many came; fails if the node is not there. */
async function loadOlder(limit = PAGE) {
  await loading?.catch(() => {});
  const key = openKey;
  const { floor } = State.conversation(state, key);
  if (floor === null) return 0;
  if (!socket.isOpen) throw new Error(t("connection.cut"));
  const query = new URLSearchParams({ ...readTarget(key), before: floor, limit: String(limit) });
  loading = socket.get(`/api/v1/messages?${query}`);
  try {
    const taken = State.takeOlder(state, key, await loading, Date.now());
    drawNow();
    return taken;
  } finally {
    loading = null;
  }
}

/** A conversation of which the first messages brought little is filled up. */
function fillShort() {
  const { messages, floor } = State.conversation(state, openKey);
  if (floor !== null && messages.length < PAGE / 2) loadOlder().catch(() => {});
}

// --- places ---

function keyFromAddress() {
  const [, kind, name] = /^#\/(channel|with)\/(.+)$/.exec(location.hash) ?? [];
  if (!kind) return State.GENERAL;
  if (kind === "with") return State.directKey(name);
  try {
    return State.channelKey(decodeURIComponent(name));
  } catch {
    return State.GENERAL; // an address that nobody made by clicking
  }
}

function go(key) {
  if (key !== openKey) history.pushState(null, "", later.hrefOf(key));
  turnTo(key);
}

function turnTo(key) {
  openKey = key;
  document.body.dataset.pane = "room";
  State.openConversation(state, key);
  later?.hush();
  composer.turnTo(draftKey(key), State.placeName(state, key));
  fillShort();
  drawNow();
  readSoon();
}

const hasDraft = (key) => readDraft(draftKey(key)) !== "";
const draftKey = (key) => `roomful.draft.${state.me}.${key}`;

// --- drawing ---

let due = null;
/** Draws what changed, once before the next frame; a hidden tab has no frames, so it gets a timer. */
function draw(parts = { rows: true, people: true, places: true }) {
  if (due !== null) {
    for (const part of Object.keys(parts)) due[part] ||= parts[part];
    return;
  }
  due = { ...parts };
  if (document.hidden) setTimeout(drawDue, 100);
  else requestAnimationFrame(drawDue);
}

function drawDue() {
  if (due !== null) drawNow();
}

function drawNow() {
  const parts = due ?? { rows: true, places: true };
  due = null;
  if (state.node !== null && parts.rows) drawRoom();
  if (later === null) return;
  drawConnection();
  if (state.node === null) return;
  const isCut = document.body.hasAttribute("data-cut");
  if (parts.people) later.drawMembers(state, { isCut, now: Date.now() });
  if (parts.people || parts.places) later.drawConversations(state, { open: openKey, hasDraft, isCut });
  later.drawTitle(state, { isCut });
}

function drawRoom() {
  const known = State.conversation(state, openKey);
  const isAlone = State.othersInReach(state) === 0;
  const rows = buildRows({
    state, known, notices: noticesOf(openKey), unfolded, isOpen: socket.isOpen, now: Date.now(),
    takerInReach: State.takerInReach(state, openKey),
    pending: outbox.items.filter((item) => item.key === openKey && !item.met),
    hints: hints.has(openKey) ? [hints.get(openKey)] : [],
  });
  const empty = known.floor === null && known.messages.every((m) => m.author === state.me);
  timeline.show(openKey, rows, () => drawAlone(isAlone && empty && openKey === State.GENERAL));
  byId("title").textContent = State.placeName(state, openKey);
  byId("subtitle").textContent = t(openKey.startsWith("c:") ? "room.everyone" : "room.direct");
  if (timeline.atEnd) readSoon();
}

/** Comings and goings belong to the room; in a direct conversation only the other one's. */
function noticesOf(key) {
  if (key === State.GENERAL) return state.notices;
  return key.startsWith("d:") ? state.notices.filter((notice) => notice.member === key.slice(2)) : [];
}

const aloneContext = { socket, state, replaced: (node) => (state.node = node) };

function drawAlone(isAlone) {
  if (isAlone && unmountAlone === null && later) unmountAlone = later.mountAlone(byId("scene"), aloneContext);
  if (!isAlone && unmountAlone !== null) {
    unmountAlone();
    unmountAlone = null;
  }
}

let connectionTimer = 0;
function drawConnection() {
  clearTimeout(connectionTimer);
  const wasCut = document.body.hasAttribute("data-cut");
  const again = later.drawConnection({ socket, state, back, now: Date.now() });
  if (wasCut !== document.body.hasAttribute("data-cut")) draw();
  if (unmountAlone !== null) byId("find-others").hidden = true; // it is already on the screen
  if (again !== null) connectionTimer = setTimeout(drawConnection, again);
}

// --- what the user does ---

function onRow(name, row) {
  if (name === "fold") {
    if (!unfolded.delete(row.key)) unfolded.add(row.key);
  } else if (name === "retry") {
    Outbox.retry(outbox, row.ref);
    pump();
  } else {
    Outbox.answered(outbox, row.ref);
    composer.focus();
  }
  saveOutbox();
  drawNow();
}

/** Escape, with nothing open that it could close, goes back to the newest message. */
function toNewest() {
  State.clearLine(state, openKey);
  timeline.toEnd();
  drawNow();
  composer.focus();
}

function listen() {
  byId("try-now").addEventListener("click", () => socket.tryNow());
  byId("find-others").addEventListener("click", () => later.showFindOthers(aloneContext));
  addEventListener("focus", readSoon);
  addEventListener("popstate", () => {
    if (state.me !== null && (location.hash === "" || location.hash.startsWith("#/"))) turnTo(keyFromAddress());
  });
  addEventListener("hashchange", async () => {
    if (!(await takeKeyFromAddress())) return;
    keyNews.postMessage("new");
    socket.restart();
  });
  keyNews.addEventListener("message", () => !socket.isOpen && socket.restart());
  document.addEventListener("visibilitychange", () => (document.hidden ? drawDue() : draw()));
  let today = dayOf(Date.now());
  setInterval(() => {
    if (today === (today = dayOf(Date.now()))) return;
    draw();
  }, DAY_CHECK_MS);
}

let loadingLater = null;
/** What is not needed to read and to type: asked for once, and again if that failed. */
function loadLater() {
  loadingLater ??= import("./later.js").then((module) => {
    later = module.start({ state, current: () => openKey, go, toNewest, write: room.write });
    draw();
    return later;
  }).catch((error) => {
    loadingLater = null;
    throw error;
  });
  return loadingLater;
}

listen();
if (await takeKeyFromAddress()) keyNews.postMessage("new");
loadLater().catch((error) => console.error(error));
socket.open();
