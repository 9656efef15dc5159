// What those hear who do not see the page: one line for each new message of the open conversation, in a
// log that only grows at its end. Never the list itself: older pages and redrawn rows must stay silent.

import { byId, make, nameText } from "../lib/dom.js";
import { t } from "../lib/texts.js";
import { spokenLine } from "./row.js";

const LINES_MAX = 5;
const BURST_MS = 2000;
const BURST_MAX = 3;

let spoken = []; // when the last lines were said
let held = 0; // how many more came than can be listened to
let timer = 0;

export function speak(message, shared) {
  const now = Date.now();
  spoken = spoken.filter((at) => now - at < BURST_MS);
  if (held === 0 && spoken.length < BURST_MAX) {
    spoken.push(now);
    return say(spokenLine(message, shared));
  }
  held += 1;
  if (held > 1) return;
  timer = setTimeout(() => {
    say(t("log.many", { n: held }));
    held = 0;
  }, BURST_MS);
}

/** Another conversation was opened: what waited belonged to the old one. */
export function hush() {
  clearTimeout(timer);
  held = 0;
}

/** Somebody takes the name of another: said at once if that one was verified, whatever else is being read. */
export function alarm({ member, name }, known) {
  const verified = known.filter((one) => one.verified);
  if (verified.length === 0) return;
  const others = verified.map((one) => nameText(one.id, one.name, true)).join(", ");
  byId("alarm").textContent = t("notice.imposter", { name: nameText(member, name, true), others });
}

function say(text) {
  const log = byId("log");
  log.append(make("p", "", text));
  while (log.childElementCount > LINES_MAX) log.firstElementChild.remove();
}
