// The list above the composer of what the word before the caret could become. The field keeps the focus and says which
// option is meant. It stays a textbox: of several lines there is no combobox, and a role that comes and goes is read out
// as another field.

import { byId, make, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { identicon } from "../lib/identicon.js";
import { Listbox } from "../lib/listbox.js";
import { shortOf } from "../lib/member_name.js";
import { channelNames } from "../model/conversations.js";
import { complete } from "./command_parser.js";

/**
 * @typedef {(line: string, caret: number, app: import("../app.js").App) => {start: number, end: number, options: Completion[]} | null} CompletionSource finds what could stand for the part of the text from `start` to `end`
 * @typedef {import("../types.d.ts").Completion} Completion
 */

/** What can be completed: the first source that finds something is asked. @type {CompletionSource[]} */
export const completionSources = [commands];

function commands(line, caret, { state }) {
  const places = { channels: channelNames(state), members: [...state.members.values()] };
  const options = complete(line, caret, places).map((option) => ({
    ...option,
    goesOn: Boolean(option.name) && !option.whole,
    draw: () => partsOf(option),
  }));
  return { start: 0, end: line.length, options };
}

export function install(app) {
  const field = byId("field");
  const list = byId("completion");
  let found = null; // { start, end, options }
  let dismissed = null; // the text for which Escape was pressed

  const listbox = new Listbox({ field, list, take: accept, draw: (option) => option.draw() });

  function update() {
    const { value } = field;
    if (dismissed !== null && value !== dismissed) dismissed = null;
    const isAsked = dismissed === null && document.activeElement === field;
    const before = found?.options.length ?? 0;
    found = isAsked ? find(value, field.selectionStart) : null;
    if (found === null) return close();
    listbox.show(found.options, { keeps: true });
    field.setAttribute("aria-haspopup", "listbox");
    field.setAttribute("aria-controls", list.id);
    const n = found.options.length;
    if (n !== before) setText(byId("announce"), t("completion.count", { n }));
  }

  function find(line, caret) {
    for (const source of completionSources) {
      const result = source(line, caret, app);
      if (result?.options.length > 0) return result;
    }
    return null;
  }

  function accept({ text, goesOn, taken }) {
    const { start, end } = found;
    listbox.show([]);
    app.composer.replace(start, end, text);
    taken?.();
    dismiss();
    if (!goesOn) return;
    dismissed = null;
    update();
  }

  function dismiss() {
    dismissed = field.value;
    close();
  }

  function close() {
    found = null;
    if (listbox.isOpen) listbox.show([]);
    list.hidden = true;
    field.removeAttribute("aria-haspopup");
    field.removeAttribute("aria-controls");
  }

  app.composer.keyHandlers.push((event) => {
    if (!listbox.isOpen || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return false;
    const { chosen } = listbox;
    const changes = () => field.value.slice(found.start, found.end).trim() !== chosen.text.trim();
    if (event.key === "Escape") dismiss();
    else if (event.key === "Tab" && !event.shiftKey) accept(chosen);
    else if (event.key === "Enter" && !event.shiftKey && changes()) accept(chosen);
    else if (!listbox.move(event)) return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  });
  app.composer.inputHandlers.push(update);
  field.addEventListener("blur", close);
  field.addEventListener("focus", update);
  update();
}

function partsOf({ name, usage, member }) {
  if (name) return [make("code", "", usage), make("span", "meta", t(`command.${name}`))];
  if (!member) return [make("bdi", "", usage)];
  const mark = make("span", "option__icon");
  mark.append(identicon(member.id));
  return [mark, make("bdi", "", usage), make("code", "short-id", shortOf(member.id))];
}
