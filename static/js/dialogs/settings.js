// The settings: the user's own name, keys of the composer, notifications and sounds, what is quiet, the theme, and
// copies of the history.

import { make, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { keepTheme, readTheme } from "../lib/storage.js";
import { conversationName } from "../model/conversations.js";
import { ownMember } from "../model/members/members.js";
import { changeSettings } from "../model/storage/settings.js";
import { openDialog } from "./dialog.js";
import { drawHistoryCopies } from "./history_copies.js";

/** The settings that are on or off, each with its text `choice.NAME`. */
const SWITCHES = ["enterSends", "joy", "typing", "cleanPictures"];

const WHEN = ["direct", "all", "none"];

const SORTS = ["recent", "name"];

const THEMES = ["auto", "light", "dark", "contrast"];

/** @param {import("../app.js").App} app */
export function open(app) {
  const dialog = openDialog("t-settings", (element) => {
    const field = element.querySelector("input");
    field.value = ownMember(app.state)?.name ?? "";
    element.querySelector("form").addEventListener("submit", async (event) => {
      event.preventDefault();
      setText(element.querySelector("[role=status]"), await saveName(app, field.value.trim()));
    });
    drawSettings(element.querySelector(".settings__choices"), app);
    element.querySelector(".settings__themes").append(...THEMES.map(themeChoice));
    drawHistoryCopies(element.querySelector(".settings__history"), app);
  });
  dialog.querySelector("h2").focus();
}

/** Gives the user another name. Returns what to say about that. */
export async function saveName(app, name) {
  if (name === "") return t("settings.nameMissing");
  if (name === ownMember(app.state)?.name) return t("hint.named", { name });
  try {
    await app.command("name", name);
    return t("hint.named", { name });
  } catch (error) {
    return t("hint.refused", { error: error.message });
  }
}

/** Fills `place` with what can be chosen, for the open conversation too. */
function drawSettings(place, { state, views }) {
  const { settings } = state;
  const open = state.route.conversation;
  const change = (fields) => {
    changeSettings(state, fields);
    views.touch("settings");
  };
  place.replaceChildren(
    ...SWITCHES.map((name) => check(`choice.${name}`, settings[name], (isOn) => change({ [name]: isOn }))),
    select("sort", SORTS, settings.sort, (value) => change({ sort: value })),
    ...permission(),
    select("notices", WHEN, settings.notices, (value) => change({ notices: value })),
    check("choice.texts", settings.texts, (isOn) => change({ texts: isOn })),
    select("sounds", WHEN, settings.sounds, (value) => change({ sounds: value })),
    check("choice.quiet", settings.quiet, (isOn) => change({ quiet: isOn })),
    check(
      "choice.muted",
      settings.muted.includes(open),
      (isOn) => {
        const others = state.settings.muted.filter((id) => id !== open);
        change({ muted: isOn ? [...others, open] : others });
      },
      { name: conversationName(state, open) },
    ),
  );
}

/** Browsers want to be asked by a click, and only once. */
function permission() {
  if (!("Notification" in window) || Notification.permission === "granted") return [];
  const line = make("p", "meta", t(`choice.${Notification.permission}`));
  if (Notification.permission === "denied") return [line];
  const button = make("button", "button", t("choice.turnOn"));
  button.type = "button";
  button.addEventListener("click", async () => {
    const answer = await Notification.requestPermission();
    setText(line, t(`choice.${answer}`));
    button.hidden = answer !== "default";
  });
  return [line, button];
}

function select(what, values, value, changed) {
  const label = make("label", "setting", t(`choice.${what}`));
  const field = make("select", "input");
  field.append(
    ...values.map((one) => {
      const option = make("option", "", t(`choice.${one}`));
      option.value = one;
      option.selected = one === value;
      return option;
    }),
  );
  field.addEventListener("change", () => changed(field.value));
  label.append(field);
  return label;
}

function check(key, isOn, changed, values) {
  const label = make("label", "choice");
  const input = make("input");
  input.type = "checkbox";
  input.checked = isOn;
  input.addEventListener("change", () => changed(input.checked));
  label.append(input, t(key, values));
  return label;
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
