// The help: commands and keys.

import { COMMANDS } from "../composer/command_parser.js";
import { make } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { openDialog } from "./dialog.js";

const KEYS = [
  ["Enter", "key.enter"],
  ["Shift+Enter", "key.shiftEnter"],
  ["Ctrl+Enter", "key.ctrlEnter"],
  ["Tab", "key.tab"],
  ["Esc", "key.escape"],
  ["Ctrl+K", "switcher.title"],
  ["Ctrl+Shift+F", "search.title"],
  ["Shift+Esc", "key.shiftEscape"],
  ["Shift+F10", "key.conversationMenu"],
  ["Alt+↑ ↓", "key.altArrows"],
  ["Alt+Shift+↑ ↓", "key.altShiftArrows"],
  ["↑ ↓", "key.arrows"],
  ["← →", "key.aside"],
  ["Ctrl+F6", "key.parts"],
  ["Ctrl+/", "key.help"],
];

export function open() {
  const dialog = openDialog("t-help", (element) => {
    const commands = COMMANDS.flatMap(({ name, usage }) => pair(make("code", "", usage), `command.${name}`));
    const keys = KEYS.flatMap(([key, text]) => pair(make("kbd", "", key), text));
    element.querySelector(".help__commands").append(...commands);
    element.querySelector(".help__keys").append(...keys);
  });
  dialog.querySelector("h2").focus();
}

function pair(what, text) {
  const term = make("dt");
  term.append(what);
  return [term, make("dd", "", t(text))];
}
