// The one calm line that says how things stand, and the door that is shown instead of the room when the
// node cannot or must not be talked to. Two links can fail apart from each other, this page to its node
// and the node to the others, and no word here is used for both.

import { byId, clone, copyText, fill, make, setText } from "../lib/dom.js";
import { t } from "../lib/texts.js";
import { PARTS } from "../parts.js";
import { othersInReach } from "../state.js";

const WORTH_SAYING_AFTER_MS = 2000;
const COUNT_DOWN_FROM_MS = 5000;
const DOORS = new Set(["no-key", "stranger", "refused", "restarted"]);

/** Draws the line. Answers in how many milliseconds it wants to be drawn again, or null. */
export function drawConnection({ socket, state, back, unsavedTexts, now }) {
  drawDoor(socket, state, unsavedTexts);
  const line = byId("connection");
  const tryNow = byId("try-now");
  const cutFor = socket.cutSince === 0 ? 0 : now - socket.cutSince;
  const isCut = !socket.isOpen && socket.cutSince > 0;
  if (isCut && cutFor < WORTH_SAYING_AFTER_MS) return WORTH_SAYING_AFTER_MS - cutFor;

  const kind = isCut ? (socket.stopping ? "stopped" : "cut") : socket.stopping ? "stopping" : hasLittleDisk(state) ? "disk" : back ? "back" : "calm";
  line.parentElement.dataset.kind = kind;
  document.body.toggleAttribute("data-cut", isCut);
  tryNow.hidden = !isCut;
  byId("find-others").hidden = kind !== "calm" || state.node === null || othersInReach(state) > 0;
  setText(byId("find-others"), t("connection.find"));
  const updated = byId("updated");
  updated.hidden = isCut || !state.node?.page || `${state.node.page}/` === PARTS.pathname;
  setText(updated, t("connection.updated"));
  say(line, kind, { state, back });
  if (!isCut) return null;

  // The countdown is on the button: in the line itself it would be read out every second.
  const left = socket.retryAt - now;
  const counts = socket.phase === "waiting" && socket.retryAt - socket.waitingSince >= COUNT_DOWN_FROM_MS && left > 0;
  setText(tryNow, t("connection.tryNow"));
  tryNow.dataset.left = counts ? String(Math.ceil(left / 1000)) : "";
  return counts ? 1000 : null;
}

function hasLittleDisk(state) {
  return [...state.members.values()].some((member) => member.closed === "disk");
}

function say(line, kind, { state, back }) {
  if (kind === "stopped") {
    if (line.dataset.said === "stopped") return;
    fill(line, state.node?.shared ? "connection.stopped.shared" : "connection.stopped", { command: make("code", "", "roomful") });
    line.prepend(make("span", "dot"));
  } else if (kind === "calm") {
    setWords(line, state.node === null ? t("connection.opening") : t("connection.reach", { n: othersInReach(state) }));
  } else if (kind === "back") {
    setWords(line, back.fresh > 0 ? t("connection.backNew", { n: back.fresh }) : t("connection.back"));
  } else {
    setWords(line, t(`connection.${kind}`));
  }
  line.dataset.said = kind;
  const isWell = kind === "back" || (kind === "calm" && state.node !== null && othersInReach(state) > 0);
  line.firstChild.classList.toggle("online", isWell);
}

/** Other words have a sign of their own before them: one that moved with the length of the words would be seen to jump. */
function setWords(line, text) {
  if (line.textContent !== text) line.replaceChildren(make("span", "dot"), text);
}

function drawDoor(socket, state, unsavedTexts) {
  const { phase } = socket;
  const door = byId("door");
  const app = byId("app");
  const isClosed = DOORS.has(phase);
  if (!isClosed) {
    // Only an open link opens the door again: while it is being tried, the words stay.
    if (phase !== "open" || door.hidden) return;
    door.hidden = true;
    app.hidden = false;
    door.replaceChildren();
    delete door.dataset.phase;
    return;
  }
  if (door.dataset.phase === phase) return;
  const isShared = state.node?.shared === true;
  const kind = phase === "stranger" && isShared ? "stranger.shared" : phase;
  const unsaved = isShared || phase === "restarted" ? unsavedTexts() : [];
  const isNew = phase === "no-key" || (phase === "restarted" && !isShared); // nothing was written, or all of it was sent
  const then = isNew ? "door.then" : isShared ? "door.then.node" : "door.then.kept";
  const card = clone("t-door");
  card.querySelector("h1").textContent = t(`door.title.${kind}`);
  card.querySelector(".why").textContent = t(`door.why.${kind}`);
  card.querySelector(".then").textContent = t(unsaved.length > 0 ? "door.then.unsaved" : then);
  drawUnsaved(card, unsaved);
  const copy = card.querySelector("button");
  copy.addEventListener("click", () => copyText(card.querySelector("code").textContent, copy));
  const again = card.querySelector(".again");
  again.hidden = phase === "no-key" || phase === "restarted"; // there is nothing to try
  again.addEventListener("click", () => socket.open());
  door.dataset.phase = phase;
  door.replaceChildren(card);
  door.hidden = false;
  app.hidden = true;
  document.title = t(`door.title.${kind}`);
  card.querySelector("h1").focus();
}

/** What only this tab has: to be copied by hand, since no other page may read it. */
function drawUnsaved(card, texts) {
  const place = card.querySelector(".unsaved");
  place.hidden = texts.length === 0;
  if (place.hidden) return;
  const field = place.querySelector("textarea");
  field.value = texts.join("\n\n");
  field.setAttribute("aria-label", t("door.unsaved"));
  const copy = place.querySelector("button");
  copy.addEventListener("click", () => copyText(field.value, copy));
}
