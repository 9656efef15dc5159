// What the user chose, for one node.

import { read, write } from "./storage.js";

const DEFAULTS = { notices: "direct", texts: true, sounds: "direct", quiet: false, muted: [], enterSends: true, joy: true };

const keyFor = (node) => `roomful.choices.${node}`;

let kept = { text: undefined, choices: DEFAULTS }; // asked for with every message, changed once in a while

export function readChoices(node) {
  try {
    const text = read(keyFor(node)) ?? "{}";
    if (text !== kept.text) kept = { text, choices: { ...DEFAULTS, ...JSON.parse(text) } };
  } catch {
    // Written by another program: what was chosen last still counts.
  }
  return kept.choices;
}

export function keepChoices(node, choices) {
  if (!write(keyFor(node), JSON.stringify(choices))) kept = { text: kept.text, choices }; // it lasts as long as the page
}
