// What is read out of the page: one line for each new message of the open conversation, in a log that only grows at its
// end. Never the list itself: older pages and redrawn rows must stay silent.

import { byId, make } from "../lib/dom.js";
import { beginningOfText } from "../lib/excerpt.js";
import { t } from "../lib/i18n.js";
import { nameText } from "../lib/member_name.js";
import { conversationOf } from "../model/conversations.js";
import { isShared, namesakes } from "../model/members/name_index.js";

const LINES_MAX = 5;
const BURST_MS = 2000;
const BURST_MAX = 3;

/** @param {import("../app.js").App} app */
export function install({ state, events }) {
  let spoken = []; // when the last lines were said
  let held = 0; // how many more came than can be listened to
  let timer = 0;

  function speak(message) {
    const now = Date.now();
    spoken = spoken.filter((at) => now - at < BURST_MS);
    if (held === 0 && spoken.length < BURST_MAX) {
      spoken.push(now);
      return say(lineOf(state, message));
    }
    held += 1;
    if (held > 1) return;
    timer = setTimeout(() => {
      say(t("log.many", { n: held }));
      held = 0;
    }, BURST_MS);
  }

  events.on("message", ({ message }) => {
    const { me } = state.session;
    if (message.author !== me && conversationOf(message, me) === state.route.conversation) speak(message);
  });
  events.on("open", () => {
    // What waited belonged to the conversation before.
    clearTimeout(timer);
    held = 0;
  });
  events.on("notice", ({ notice }) => warn(state, notice));
}

/** A member takes the name of another: said at once if that one was verified, whatever else is being read. */
function warn(state, { kind, member, name }) {
  const verified = kind === "conflict" ? namesakes(state, member, name).filter((one) => one.verified) : [];
  if (verified.length === 0) return;
  const others = verified.map((one) => nameText(one.id, one.name, true)).join(", ");
  byId("alarm").textContent = t("notice.imposter", { name: nameText(member, name, true), others });
}

function say(text) {
  const log = byId("log");
  log.append(make("p", "", text));
  while (log.childElementCount > LINES_MAX) log.firstElementChild.remove();
}

function lineOf(state, { author, name, text }) {
  return t("log.message", { name: nameText(author, name, isShared(state, name)), text: beginningOfText(text) });
}
