// The one calm line that says how things stand. Two connections can fail apart from each other, this page's to its node
// and the node's to the others, and no word here is used for both.

import { copyOnClick } from "../lib/clipboard.js";
import { byId, drawIfChanged, fill, make, setText, showCommand } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { othersInReach } from "../model/members/members.js";
import { isCut, isOpen } from "../model/session.js";
import { ASSETS } from "../net/assets.js";

const COUNT_DOWN_FROM_MS = 5000;
const GONE_AFTER_MS = 10_000; // a node that was restarted would be back by then

/** @param {import("../app.js").App} app */
export function install({ state, views }) {
  let timer = 0;
  byId("updated").addEventListener("click", () => location.reload());
  const copy = byId("copy-command");
  copy.textContent = t("copy");
  copyOnClick(copy, () => byId("connection").querySelector("code"));
  views.add({
    topics: ["session", "members", "countdown"],
    draw() {
      clearTimeout(timer);
      const now = Date.now();
      // A connection that is lost for a moment is not worth a word.
      if (!isOpen(state) && state.session.cutSince > 0 && !isCut(state, now)) return;
      drawLine(state, now);
      if (drawCountdown(state.session, now)) timer = setTimeout(() => views.touch("countdown"), 1000);
    },
  });
}

/** What there is to say: one thing at a time. */
function kindOf(state, now) {
  const { session } = state;
  if (isCut(state, now)) {
    if (session.stopping) return "stopped";
    return session.node !== null && now - session.cutSince >= GONE_AFTER_MS ? "gone" : "cut";
  }
  if (session.stopping) return "stopping";
  if ([...state.members.values()].some((member) => member.closed === "disk")) return "disk";
  return session.back === null ? "calm" : "back";
}

function drawLine(state, now) {
  const { node, back } = state.session;
  const kind = kindOf(state, now);
  const cut = isCut(state, now);
  const n = othersInReach(state);
  const line = byId("connection");
  line.parentElement.dataset.kind = kind;
  document.body.toggleAttribute("data-cut", cut);
  byId("try-now").hidden = !cut;
  const asksToStart = kind === "stopped" || kind === "gone";
  byId("copy-command").hidden = !asksToStart;
  byId("find-others").hidden = kind !== "calm" || node === null || n > 0 || state.ui.isFindingPeers;
  setText(byId("find-others"), t("connection.find"));
  const updated = byId("updated");
  updated.hidden = cut || !node?.page || `${node.page}/` === ASSETS.pathname;
  setText(updated, t("connection.updated"));

  const words = { calm: node === null ? "connection.opening" : "connection.reach" }[kind];
  const isWell = kind === "back" || (kind === "calm" && node !== null && n > 0);
  // Other words have a sign of their own before them: one that moved with the length of the words would be seen to jump.
  drawIfChanged(line, [kind, words, kind === "calm" && n, kind === "back" && back], () => {
    if (asksToStart) {
      const command = make("code");
      showCommand(command, startCommand(node));
      fill(line, `connection.${kind}${comesBack(node) ? "" : ".shared"}`, { command });
    } else if (kind === "back") {
      line.textContent = back.fresh > 0 ? t("connection.backNew", { n: back.fresh }) : t("connection.back");
    } else {
      line.textContent = t(words ?? `connection.${kind}`, { n });
    }
    line.prepend(make("span", "dot"));
  });
  line.firstChild.classList.toggle("dot--online", isWell);
}

/** What is run to start the node again, as it says itself. */
export const startCommand = (node) => node?.command || "roomful";

/** Whether this tab finds the node again: not where each start has a new sign-in link. */
export const comesBack = (node) => !node?.shared && !startCommand(node).endsWith(" --ephemeral");

/** The countdown is on the button: in the line itself it would be read out every second. Returns whether it goes on. */
function drawCountdown({ phase, retryAt, waitingSince }, now) {
  const tryNow = byId("try-now");
  const left = retryAt - now;
  const counts = !tryNow.hidden && phase === "waiting" && retryAt - waitingSince >= COUNT_DOWN_FROM_MS && left > 0;
  setText(tryNow, t("connection.tryNow"));
  tryNow.dataset.left = counts ? String(Math.ceil(left / 1000)) : "";
  return counts;
}
