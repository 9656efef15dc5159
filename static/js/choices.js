// What the user chose, for one node, in this browser.

const DEFAULTS = { notices: "direct", texts: true, sounds: "direct", quiet: false, muted: [], enterSends: true, joy: true };

const keyFor = (node) => `roomful.choices.${node}`;

let kept = { text: undefined, choices: DEFAULTS }; // asked for with every message, changed once in a while

export function readChoices(node) {
  try {
    const text = localStorage.getItem(keyFor(node)) ?? "{}";
    if (text !== kept.text) kept = { text, choices: { ...DEFAULTS, ...JSON.parse(text) } };
  } catch {
    // Storage is forbidden, or somebody else wrote there: what was chosen last still counts.
  }
  return kept.choices;
}

export function keepChoices(node, choices) {
  try {
    localStorage.setItem(keyFor(node), JSON.stringify(choices));
  } catch {
    kept = { text: kept.text, choices }; // it lasts as long as the page
  }
}
