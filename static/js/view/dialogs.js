// Dialogs: native ones, so that focus is kept in, goes back, and Escape closes.

import { COMMANDS } from "../commands.js";
import { clone, make } from "../lib/dom.js";
import { t } from "../lib/texts.js";
import { keepTheme, readTheme } from "../storage.js";
import { drawChoices } from "./choices.js";

const KEYS = [
  ["Enter", "key.enter"], ["Shift+Enter", "key.shiftEnter"], ["Ctrl+Enter", "key.ctrlEnter"], ["Tab", "key.tab"], ["Esc", "key.escape"],
  ["Ctrl+K", "switcher.title"],
  ["Ctrl+Shift+F", "search.title"], ["Alt+↑ ↓", "key.altArrows"], ["Alt+Shift+↑ ↓", "key.altShiftArrows"],
  ["↑ ↓", "key.arrows"], ["← →", "key.aside"], ["Ctrl+F6", "key.parts"], ["Ctrl+/", "key.help"],
];
const THEMES = ["auto", "light", "dark", "contrast"];

/** Opens a dialog from its template; `dialog.returnValue` says how it was closed. */
export function open(id, prepare) {
  const dialog = clone(id);
  const before = document.activeElement;
  prepare?.(dialog);
  dialog.querySelector(".close")?.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // outside of it: only the backdrop is the dialog itself
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    // This event comes a moment after the dialog closed: whoever has gone on since is not fetched back.
    const wentOn = ![before, document.body].includes(document.activeElement);
    if (before?.isConnected && !wentOn) giveBack(before);
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Chromium gives the focus back by itself, but not always the caret: what is typed then goes nowhere. */
function giveBack(element) {
  element.blur();
  element.focus({ preventScroll: true });
}

/** `place`: who we are, which conversation is open, and its name. */
export function showHelp(place) {
  const dialog = open("t-help", (element) => {
    const commands = COMMANDS.flatMap(({ name, usage }) => pair(make("code", "", usage), `command.${name}`));
    const keys = KEYS.flatMap(([key, text]) => pair(make("kbd", "", key), text));
    element.querySelector(".commands").append(...commands);
    element.querySelector(".keys").append(...keys);
    drawChoices(element.querySelector(".notice-choices"), place);
    element.querySelector(".choices").append(...THEMES.map(themeChoice));
  });
  dialog.querySelector("h2").focus();
}

function pair(what, text) {
  const term = make("dt");
  term.append(what);
  return [term, make("dd", "", t(text))];
}

function themeChoice(theme) {
  const label = make("label", "choice");
  const input = make("input");
  input.type = "radio";
  input.name = "theme";
  input.checked = readTheme() === theme;
  input.addEventListener("change", () => keepTheme(theme));
  label.append(input, " ", t(`theme.${theme}`));
  return label;
}

/** Whether the user really wants to leave. Everything but the one button means no. */
export function askExit() {
  return new Promise((resolve) => {
    const dialog = open("t-exit", (element) => {
      element.querySelector(".cancel").addEventListener("click", () => element.close());
      element.querySelector(".confirm").addEventListener("click", () => element.close("exit"));
    });
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "exit"));
  });
}
