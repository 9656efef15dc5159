// The room without other members, and how to fill it: what to run elsewhere, where this node is, what discovery is doing
// right now, and why it may not be enough. Asks the node every few seconds, but only while it is shown.

import { openDialog } from "../dialogs/dialog.js";
import { copyOnClick } from "../lib/clipboard.js";
import { byId, clone, drawIfChanged, fill, make, setText, showCommand } from "../lib/dom.js";
import { agoText, listText } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { nameOf } from "../lib/identicon.js";
import { defaultChannel, openConversation } from "../model/conversations.js";
import { othersInReach } from "../model/members/members.js";
import { isCut, setNode } from "../model/session.js";
import { setFindingPeers } from "../model/ui.js";
import { comesBack, startCommand } from "../status/connection_status.js";

const ASK_EVERY_MS = 5000;
const TICK_MS = 1000;
const SHOWN_AFTER_MS = 1000; // without an answer
const TELLING = ["beacon_room", "beacon_version", "wrong_key", "wrong_version", "own_key"]; // refusals that say why

/** Shows it in a room without other members. @param {import("../app.js").App} app */
export function install(app) {
  const { state, timeline, views } = app;
  let shown = null; // the function that is mounted
  let unmount = () => {};
  timeline.beforeDraw.push(() => {
    const isAlone = isAloneInRoom(state);
    const wanted = isAlone ? (isStopped(state) ? mountStopped : mount) : null;
    if (wanted !== shown) {
      unmount();
      unmount = wanted?.(byId("empty-state"), app) ?? (() => {});
      shown = wanted;
    }
    if (state.ui.isFindingPeers === isAlone) return;
    setFindingPeers(state, isAlone);
    views.touch("session");
  });
  views.add({
    topics: ["session"],
    draw() {
      if (isStopped(state) !== (shown === mountStopped)) views.touch("timeline");
    },
  });
  views.touch("timeline");
}

const isStopped = (state) => state.session.stopping && isCut(state, Date.now());

/** Without a node nothing is found: how to start it again comes first. */
function mountStopped(place, { state }) {
  const { node } = state.session;
  const scene = clone("t-node-stopped");
  const command = scene.querySelector(".copy-line__text");
  showCommand(command, startCommand(node));
  copyOnClick(scene.querySelector("button"), command);
  setText(scene.querySelector(".find-peers__lead"), t(comesBack(node) ? "stopped.lead" : "stopped.lead.shared"));
  place.replaceChildren(scene);
  return () => scene.remove();
}

/** The same in a dialog, for a room that has a history to show. */
export function open(app) {
  let unmount = () => {};
  const dialog = openDialog("t-find-peers-dialog", (element) => {
    unmount = mount(element.querySelector(".dialog__body"), app);
  });
  dialog.addEventListener("close", () => unmount());
  dialog.querySelector("h2").focus();
}

function isAloneInRoom(state) {
  if (state.route.conversation !== defaultChannel(state) || othersInReach(state) > 0) return false;
  const { floor, messages } = openConversation(state);
  return floor === null && messages.every(({ author }) => author === state.session.me);
}

/** Puts it into `place`. Returns a function that takes it away. */
function mount(place, { connection, state }) {
  const scene = clone("t-find-peers");
  copyOnClick(scene.querySelector(".copy-line button"), scene.querySelector(".copy-line__text"));
  const dialler = startDialling(scene.querySelector(".find-peers__connect"), connection);
  place.replaceChildren(scene);
  draw(scene, state);
  // What the node found out stands in the middle: seen without it, the rest would jump.
  const show = () => scene.classList.remove("find-peers--loading");
  scene.classList.add("find-peers--loading");
  setTimeout(show, SHOWN_AFTER_MS);

  let asked = 0;
  async function tick() {
    if (document.hidden || !connection.isOpen) return;
    if (Date.now() - asked >= ASK_EVERY_MS) {
      asked = Date.now();
      ask("node", (node) => setNode(state, node));
      ask("doctor", (doctor) => drawFindings(scene, dialler, doctor)).then(show);
    }
    draw(scene, state);
  }
  const ask = (what, take) =>
    connection
      .get(`/api/v1/${what}`)
      .then(take)
      .catch(() => {});
  const timer = setInterval(tick, TICK_MS);
  tick();
  return () => {
    clearInterval(timer);
    scene.remove();
  };
}

function draw(scene, { session: { defaults, node, me }, members }) {
  const {
    room,
    udp,
    addresses,
    tcp: [dialled = String(udp)],
  } = node; // a network that is gone has no address
  const tcp = dialled.replace(/.*:/, "");
  // Beacons are heard on one port alone: another one has to be named elsewhere as well.
  const options =
    (room === defaults.room ? "" : ` --room ${quoted(room)}`) + (udp === defaults.port ? "" : ` --port ${udp}`);
  showCommand(scene.querySelector(".copy-line__text"), `roomful --name Ben${options}`);
  const strong = () => make("strong", "", room);
  const name = members.get(me)?.name ?? node.name;
  const where = addresses.length > 0 ? listText(addresses) : t("alone.nowhere");
  drawIfChanged(scene.querySelector(".find-peers__address"), [name, where, tcp, room], (line) => {
    fill(line, "alone.where", { name: nameOf(me, name, false), addresses: where, tcp, room: strong() });
  });
  const peer = `roomful --peer ${addresses.length > 0 ? dialled : "ADDRESS"}${options}`;
  drawIfChanged(scene.querySelector(".find-peers__causes"), [peer, tcp], (list) => {
    const command = make("code");
    showCommand(command, peer);
    const causes = [{ room: strong() }, { udp: String(udp), tcp }, {}, { command }];
    list.replaceChildren(
      ...causes.map((values, i) => {
        const item = make("li");
        fill(item, `alone.cause${i + 1}`, values);
        return item;
      }),
    );
  });
  drawBeacons(scene.querySelector(".find-peers__beacons"), node.discovery);
}

function drawBeacons(list, beacons) {
  const lines = beacons.length > 0 ? beacons.map(beaconLine) : [{ text: t("alone.noBeacons"), age: "", fine: false }];
  while (list.children.length > lines.length) list.lastElementChild.remove();
  while (list.children.length < lines.length) list.append(clone("t-beacon"));
  lines.forEach(({ text, age, fine }, i) => {
    const item = list.children[i];
    item.classList.toggle("beacon--ok", fine);
    setText(item.querySelector(".beacon__sign"), fine ? "✓" : "!");
    setText(item.querySelector(".beacon__text"), text);
    setText(item.querySelector(".beacon__age"), age);
  });
}

function beaconLine({ interface: name, target, sent, error }) {
  const age = sent ? agoText(Date.now() - Date.parse(sent)) : t("alone.notYet");
  if (error) return { text: t("alone.beaconError", { interface: name, error }), age, fine: false };
  return {
    text: t("alone.beacon", { interface: name, target: target.replace(/:\d+$/, "") }),
    age,
    fine: Boolean(sent),
  };
}

/** The field for an address that no beacon reaches: the node dials it, as with --peer. */
function startDialling(form, connection) {
  const dialler = { form, address: null }; // which was dialled last
  const field = form.querySelector("input");
  const said = form.querySelector("[role=status]");
  field.setAttribute("aria-label", t("alone.address"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const address = field.value.trim();
    if (address === "") return field.focus();
    dialler.address = address;
    try {
      await connection.post("/api/v1/peers", { address });
      setText(said, t("alone.calling", { address }));
    } catch {
      setText(said, t("alone.notCalled", { address }));
    }
  });
  return dialler;
}

/** What the node found out: its likely cause, if it is more than a guess, and how dialling an address went. */
function drawFindings(scene, { form, address: dialled }, { likely, heard_by: heard, refused, discovery, dials }) {
  const isFound =
    heard.length > 0 ||
    TELLING.some((cause) => refused[cause] > 0) ||
    discovery.length === 0 ||
    discovery.every(({ error }) => error !== null);
  const line = scene.querySelector(".find-peers__diagnosis");
  line.hidden = !isFound;
  setText(line, isFound ? likely : "");
  const isDialled = ({ address }) => address === dialled || address.startsWith(`${dialled}:`);
  const failed = dialled !== null && dials.find(isDialled);
  if (failed) setText(form.querySelector("[role=status]"), t("alone.callFailed", failed));
}

const quoted = (room) => (/^[\w.-]+$/.test(room) ? room : `'${room.replaceAll("'", "'\\''")}'`);
