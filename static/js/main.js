// The page put together: the only module that knows all the others. Frames change the state, the state is
// drawn once a frame, and what the user does goes to the outbox or to the node. What is not needed to read
// and to type is loaded afterwards.

import * as Outbox from "./outbox.js";
import { buildRows, dayOf } from "./rows.js";
import { Socket, takeKeyFromAddress } from "./socket.js";
import * as State from "./state.js";
import * as Storage from "./storage.js";
import { byId, isDialogOpen, setText } from "./lib/dom.js";
import { t } from "./lib/texts.js";
import { Composer, allDrafts, draftKey, keepDraft, readDraft } from "./view/composer.js";
import { Timeline } from "./view/timeline.js";

const SENDING_SHOWN_AFTER_MS = 410;
const BACK_SHOWN_MS = 3000;
const DAY_CHECK_MS = 30_000;
const PAGE_AWAITED_MS = 1000;
const JOY_FRESH_MS = 10_000;
const FLOOD_FRAMES = 20; // more than these since the last drawing, and drawing waits until they have all been heard
const FLOOD_PAUSE_MS = 8; // what is heard of a burst comes every 0.1 ms
const FLOOD_MS_MAX = 250;

const state = State.create();
const outbox = Outbox.create();
const unfolded = new Set(); // keys of the rows that the reader has unfolded
const keyNews = new BroadcastChannel("roomful.key"); // tells the other tabs of a new link

let { key: openKey, id: wantedId } = State.placeOfAddress(location.hash);
let store = null;
let later = null; // the modules that were loaded afterwards
let back = null; // {fresh, until}: the link is back, and what came meanwhile
let awaited = null; // the conversation that is not shown yet, because too little of it is here

const socket = new Socket({
  resume: () => (state.run === null ? {} : { after: state.arrival, run: state.run }),
  frame: onFrame,
  changed: onLink,
});
const timeline = new Timeline({
  edge: (which) => later?.pages.edge(which),
  act: onRow,
  moved: () => later?.reading.wake(),
  newest: () => toEnd(),
  jump: (id) => later?.jumps.to(openKey, id),
});
const composer = new Composer({
  send: submit,
  typed: () => later?.completion.update(),
  keys: (event) => later?.completion.key(event) ?? false,
  enterSends: () => later?.choices().enterSends ?? true,
  grown: () => timeline.hold(),
  kept: () => store?.saveDrafts(allDrafts(state.me)),
});

// --- frames ---

function onFrame(frame) {
  const now = Date.now();
  flood.frames += 1;
  flood.heardAt = performance.now();
  if (frame.type === "error") return onError(frame);
  if (frame.type === "done") return Storage.answered(frame.ref, true) || later?.room.done(frame.ref);
  if (frame.type === "welcome") Storage.begin(frame, (change) => socket.send(change));
  if (frame.type === "said") onSaid(frame);
  const wasMe = state.me;
  const names = state.names.size;
  const { said, live } = State.apply(state, frame, { now, attended });
  if (said && live) onLive(said, now);
  if (frame.type === "notice" && frame.notice.kind === "conflict") later?.alarm(frame.notice);
  const people = frame.type === "welcome" || frame.type === "member" || state.names.size !== names;
  draw({ rows: true, people, places: true });
  if (frame.type === "welcome") onWelcome(frame, wasMe); // what it draws at once has everybody in it
}

function onSaid({ ref, message }) {
  const item = outbox.items.find((one) => one.ref === ref);
  if (item?.met && item.met !== message.id) state.refs.delete(item.met);
  Outbox.answered(outbox, ref);
  saveOutbox();
  later?.room.done(ref);
  pump();
  // The node cleans the names of channels: what was said is where it says.
  const key = State.keyOf(message, state.me);
  if (item && item.key === openKey && key !== openKey) go(key);
}

function onError({ ref, error, message }) {
  if (!ref || Storage.answered(ref, false) || later?.room.refused(ref, message || error)) return;
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
    await restore();
    if (wantedId) loadLater().then(({ jumps }) => jumps.to(openKey, wantedId, { remember: false, write: false }));
  } else {
    if (frame.reset) State.openConversation(state, openKey);
    fill(); // its first try may have failed with the link
  }
  if (document.body.hasAttribute("data-cut")) noteBack(frame);
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
  if (!own) later?.notices.tell(message, now);
  if (message.kind === "hooray" && Math.abs(now - Date.parse(message.time)) < JOY_FRESH_MS) {
    if (later?.choices().joy) import("./view/joy.js").then(({ celebrate }) => celebrate());
  }
}

function onLink() {
  if (!socket.isOpen) {
    Outbox.cutOff(outbox);
    later?.room.cutOff();
  }
  draw();
}

// --- saying ---

function submit(text) {
  later?.room.forgetHint(openKey);
  if (!text.startsWith("/")) return say(text);
  loadLater().then(({ run, room }) => run(room, text)).catch(() => {
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

/** What an earlier page left: messages that did not go out, and what was begun in tabs that are gone. */
async function restore() {
  const { openStore } = await import("./store.js");
  store = await openStore(state.me);
  const restored = store.texts.flatMap((text) => Outbox.unpack(text, Date.now()).items);
  outbox.items = [...restored.filter((item) => !Outbox.has(outbox, item.ref)), ...outbox.items];
  saveOutbox();
  store.adoptDrafts((key, text) => {
    if (hasDraft(key) || (key === openKey && composer.text !== "")) return false;
    keepDraft(draftKey(state.me, key), text);
    State.conversation(state, key); // so that it stands in the list
    return true;
  });
  composer.adopt();
  store.saveDrafts(allDrafts(state.me));
}

/** What was typed and would be lost with this tab. A node that confirmed all of it has it. */
function unsavedTexts() {
  composer.keep();
  if (Storage.isInNode()) return [];
  return [...outbox.items.map((item) => item.text), ...Object.values(allDrafts(state.me))].filter((text) => text !== "");
}

function say(text, kind = "say") {
  if (kind === "hooray" && openKey !== State.GENERAL) go(State.GENERAL); // it greets the whole room
  const ref = crypto.randomUUID();
  // Half of a surrogate pair is no text: the node would refuse the whole frame.
  Outbox.add(outbox, { ref, text: text.toWellFormed?.() ?? text, kind, key: openKey, at: Date.now() });
  pump();
  setTimeout(() => Outbox.has(outbox, ref) && draw({ rows: true }), SENDING_SHOWN_AFTER_MS);
  State.clearLine(state, openKey);
  toEnd();
}

// --- reading ---

/** Whether somebody looks at the end of this conversation right now. */
function attended(key) {
  return key === openKey && document.hasFocus() && timeline.atEnd && !isDialogOpen();
}

/** Tells the node how far this conversation is read, if that moved. */
function tellRead(arrival) {
  if (arrival !== null) socket.send({ type: "read", ...State.placeOfKey(openKey), arrival });
  draw({ rows: true, places: true });
}

/** Escape, with nothing open that it could close: back to the newest message, and nothing is unread any more. */
function toNewest() {
  State.clearLine(state, openKey);
  tellRead(State.markRead(state, openKey));
  toEnd();
  composer.focus();
}

function toEnd() {
  later?.jumps.leave(openKey);
  drawNow();
  timeline.toEnd();
}

/** What a page of messages cannot hold yet comes when the window is at rest; the line goes where reading stopped. */
async function fill() {
  const key = openKey;
  const { line } = State.conversation(state, key);
  try {
    const { pages } = await loadLater();
    const came = await pages.fill();
    if (came && key === openKey && State.conversation(state, key).line === line) State.openConversation(state, key);
  } catch {
    // It comes with the next link, or when somebody scrolls there.
  } finally {
    if (awaited === key) reveal();
    else drawNow();
  }
}

/** Shows a conversation only when enough of it is there, so that nothing jumps; or as it is, if that takes long. */
function awaitPage(key) {
  const known = State.conversation(state, key);
  if (!State.isShort(state, known)) return;
  if (known.unread > State.unseenOf(state, known).length) known.line = undefined; // where reading stopped is not here yet
  awaited = key;
  timeline.empty();
  setTimeout(() => awaited === key && reveal(), PAGE_AWAITED_MS);
}

function reveal() {
  awaited = null;
  drawNow();
}

// --- places ---

function go(key) {
  if (key !== openKey) history.pushState(null, "", State.addressOf(key));
  turnTo(key);
}

function turnTo(key) {
  openKey = key;
  document.body.dataset.pane = "room";
  State.openConversation(state, key);
  awaitPage(key);
  later?.hush();
  composer.turnTo(draftKey(state.me, key), State.placeName(state, key));
  drawNow();
  fill();
}

const hasDraft = (key) => readDraft(draftKey(state.me, key)) !== "";

// --- drawing ---

let due = null;
const drawn = { at: 0, took: 0 }; // when the last drawing ended, and how long it took
const flood = { frames: 0, heardAt: 0, since: 0 }; // what was heard since the last drawing, and since when it is due
/** Draws what changed, once before the next frame; a hidden tab has no frames, so it gets a timer. */
function draw(parts = { rows: true, people: true, places: true }) {
  if (due !== null) {
    for (const part of Object.keys(parts)) due[part] ||= parts[part];
    return;
  }
  due = { ...parts };
  flood.since = performance.now();
  if (document.hidden) setTimeout(drawDue, 100);
  else requestAnimationFrame(drawDue);
}

function drawDue() {
  if (due === null) return;
  // In a flood of messages drawing must not take the time that is needed to hear them.
  const now = performance.now();
  const isFlood = flood.frames > FLOOD_FRAMES && now - flood.heardAt < FLOOD_PAUSE_MS && now - flood.since < FLOOD_MS_MAX;
  const isTooSoon = now < drawn.at + 2 * drawn.took;
  if ((isFlood || isTooSoon) && !document.hidden) requestAnimationFrame(drawDue);
  else drawNow();
}

function drawNow() {
  const begin = performance.now();
  const parts = due ?? { rows: true, places: true };
  due = null;
  flood.frames = 0;
  if (state.node !== null && parts.rows) drawRoom();
  later?.drawRest(parts, { open: openKey, hasDraft, attended, back, unsavedTexts });
  drawn.at = performance.now();
  drawn.took = drawn.at - begin;
}

function drawRoom() {
  setText(byId("title"), State.placeName(state, openKey));
  later?.drawSubtitle(openKey);
  if (awaited === openKey) return;
  later?.forgetFar();
  const known = State.conversation(state, openKey);
  const isTail = known.past === null;
  const rows = buildRows({
    state, known: State.rangeOf(known), notices: noticesOf(openKey), unfolded, isOpen: socket.isOpen, now: Date.now(),
    takerInReach: State.takerInReach(state, openKey),
    pending: isTail ? outbox.items.filter((item) => item.key === openKey && !item.met) : [],
    hints: later?.room.hintsOf(openKey) ?? [],
  });
  const news = { isTail, unread: known.unread, late: known.late };
  timeline.show(openKey, rows, news, () => later?.drawScene(openKey));
  later?.reading.wake();
}

/** Comings and goings belong to the room; in a direct conversation only the other one's. */
function noticesOf(key) {
  if (key === State.GENERAL) return state.notices;
  return key.startsWith("d:") ? state.notices.filter((notice) => notice.member === key.slice(2)) : [];
}

// --- what the user does ---

function onRow(name, row) {
  if (name === "fold" || name === "more") {
    if (!unfolded.delete(row.key)) unfolded.add(row.key);
    return timeline.refold(row.key, drawNow);
  }
  if (name === "retry") {
    Outbox.retry(outbox, row.ref);
    pump();
  } else if (name === "holders") {
    return later?.dialogs.holders(row.id);
  } else {
    Outbox.answered(outbox, row.ref);
    composer.focus();
  }
  saveOutbox();
  drawNow();
}

function listen() {
  byId("try-now").addEventListener("click", () => socket.tryNow());
  addEventListener("focus", () => later?.reading.wake());
  addEventListener("popstate", () => {
    if (state.me === null || (location.hash !== "" && !location.hash.startsWith("#/"))) return;
    const { key, id } = State.placeOfAddress(location.hash);
    if (key !== openKey) turnTo(key);
    else if (id === null) later?.jumps.back();
    if (id !== null) later?.jumps.to(key, id, { write: false });
  });
  addEventListener("hashchange", async () => {
    if (!(await takeKeyFromAddress())) return;
    keyNews.postMessage("new");
    socket.restart();
  });
  keyNews.addEventListener("message", () => !socket.isOpen && socket.restart());
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) return draw();
    drawDue();
    Storage.flush();
  });
  addEventListener("pagehide", Storage.flush); // after the composer has kept its draft
  addEventListener("beforeunload", (event) => {
    if (!Storage.isShared() || unsavedTexts().length === 0) return;
    if (!socket.isOpen || Storage.isRefused()) event.preventDefault();
  });
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
    const current = () => openKey;
    later = module.start({
      state, socket, timeline, composer, current, go, say, toNewest, tellRead, attended, draw, drawNow, reveal, toEnd,
    });
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
