// The room with nobody else in it, which should help to fill it: what to run elsewhere, where we are,
// what discovery is doing right now, and why it may not be enough. Asks the node every few seconds, but only
// while it is shown.

import { clone, copyText, fill, make, nameOf, setText } from "../lib/dom.js";
import { agoText, listText, t } from "../lib/texts.js";
import { open } from "./dialogs.js";

const ASK_EVERY_MS = 5000;
const TICK_MS = 1000;
const USUAL_PORT = 7666; // beacons are heard on one port alone: another one has to be named elsewhere as well
const SHOWN_AFTER_MS = 1000; // without an answer
const TELLING = ["beacon_room", "beacon_version", "wrong_key", "wrong_version", "own_key"]; // refusals that say why

/** Puts the scene into `place`. Answers a function that takes it away. */
export function mountAlone(place, { socket, state, replaced }) {
  const scene = clone("t-alone");
  const copy = scene.querySelector(".copy button");
  copy.addEventListener("click", () => copyText(scene.querySelector(".command").textContent, copy));
  startCalling(scene.querySelector(".call"), socket);
  place.replaceChildren(scene);
  draw(scene, state);
  // What the node found out stands in the middle: seen without it, the rest would jump.
  const show = () => scene.classList.remove("asking");
  scene.classList.add("asking");
  setTimeout(show, SHOWN_AFTER_MS);

  let asked = 0;
  async function tick() {
    if (document.hidden || !socket.isOpen) return;
    if (Date.now() - asked >= ASK_EVERY_MS) {
      asked = Date.now();
      ask("node", replaced);
      ask("doctor", (doctor) => drawFindings(scene, doctor)).then(show);
    }
    draw(scene, state);
  }
  const ask = (what, take) => socket.get(`/api/v1/${what}`).then(take).catch(() => {});
  const timer = setInterval(tick, TICK_MS);
  tick();
  return () => {
    clearInterval(timer);
    scene.remove();
  };
}

/** The same in a dialog, for a room that has a history to show. */
export function showFindOthers(context) {
  let unmount = () => {};
  const dialog = open("t-find", (element) => {
    unmount = mountAlone(element.querySelector(".place"), context);
  });
  dialog.addEventListener("close", () => unmount());
  dialog.querySelector("h2").focus();
}

function draw(scene, { node, members, me }) {
  const { room, udp, addresses, tcp: [dialled = String(udp)] } = node; // a network that is gone has no address
  const tcp = dialled.replace(/.*:/, "");
  const options = (room === "lobby" ? "" : ` --room ${quoted(room)}`) + (udp === USUAL_PORT ? "" : ` --port ${udp}`);
  setText(scene.querySelector(".command"), `roomful --name Ben${options}`);
  const strong = () => make("strong", "", room);
  const name = members.get(me)?.name ?? node.name;
  const where = addresses.length > 0 ? listText(addresses) : t("alone.nowhere");
  redraw(scene.querySelector(".where"), [name, where, tcp, room], (line) => {
    fill(line, "alone.where", { name: nameOf(me, name, false), addresses: where, tcp, room: strong() });
  });
  const peer = `roomful --peer ${addresses.length > 0 ? dialled : "ADDRESS"}${options}`;
  redraw(scene.querySelector(".causes"), [peer, tcp], (list) => {
    const causes = [{ room: strong() }, { udp: String(udp), tcp }, {}, { command: make("code", "", peer) }];
    list.replaceChildren(...causes.map((values, i) => {
      const item = make("li");
      fill(item, `alone.cause${i + 1}`, values);
      return item;
    }));
  });
  drawBeacons(scene.querySelector(".discovery"), node.discovery);
}

function drawBeacons(list, beacons) {
  const lines = beacons.length > 0 ? beacons.map(beaconLine) : [{ text: t("alone.noBeacons"), age: "", fine: false }];
  while (list.children.length > lines.length) list.lastElementChild.remove();
  while (list.children.length < lines.length) list.append(clone("t-beacon"));
  lines.forEach(({ text, age, fine }, i) => {
    const item = list.children[i];
    item.classList.toggle("fine", fine);
    setText(item.querySelector(".sign"), fine ? "✓" : "!");
    setText(item.querySelector(".what"), text);
    setText(item.querySelector(".age"), age);
  });
}

function beaconLine({ interface: name, target, sent, error }) {
  const age = sent ? agoText(Date.now() - Date.parse(sent)) : t("alone.notYet");
  if (error) return { text: t("alone.beaconError", { interface: name, error }), age, fine: false };
  return { text: t("alone.beacon", { interface: name, target: target.replace(/:\d+$/, "") }), age, fine: Boolean(sent) };
}

/** The field for an address that no beacon reaches: the node dials it, as with --peer. */
function startCalling(form, socket) {
  const field = form.querySelector("input");
  const said = form.querySelector("[role=status]");
  field.setAttribute("aria-label", t("alone.address"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const address = field.value.trim();
    if (address === "") return field.focus();
    form.dataset.called = address;
    try {
      await socket.post("/api/v1/peers", { address });
      setText(said, t("alone.calling", { address }));
    } catch {
      setText(said, t("alone.notCalled", { address }));
    }
  });
}

/** What the node found out: its likely cause, if it is more than a guess, and how calling an address went. */
function drawFindings(scene, { likely, heard_by: heard, refused, discovery, dials }) {
  const isFound = heard.length > 0 || TELLING.some((cause) => refused[cause] > 0)
    || discovery.length === 0 || discovery.every(({ error }) => error !== null);
  const line = scene.querySelector(".likely");
  line.hidden = !isFound;
  setText(line, isFound ? likely : "");
  const form = scene.querySelector(".call");
  const { called } = form.dataset;
  const failed = called && dials.find(({ address }) => address === called || address.startsWith(`${called}:`));
  if (failed) setText(form.querySelector("[role=status]"), t("alone.callFailed", failed));
}

/** Draws only what is another than before: a selection in the text survives the ticking. */
function redraw(element, values, act) {
  const state = JSON.stringify(values);
  if (element.dataset.state === state) return;
  element.dataset.state = state;
  act(element);
}

const quoted = (room) => (/^[\w.-]+$/.test(room) ? room : `'${room.replaceAll("'", "'\\''")}'`);
