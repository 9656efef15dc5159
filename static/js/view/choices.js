// What can be chosen, in the help dialog: how one writes, notices and sounds, and what is quiet.

import { make, setText } from "../lib/dom.js";
import { t } from "../lib/texts.js";
import { keepChoices, readChoices } from "../choices.js";

const WHEN = ["direct", "all", "none"];

/** Fills `place` with what can be chosen. `open` is the conversation that can be muted. */
export function drawChoices(place, { me, open, name }) {
  let choices = readChoices(me);
  const change = (fields) => {
    choices = { ...choices, ...fields };
    keepChoices(me, choices);
  };
  place.replaceChildren(
    check("choice.enterSends", choices.enterSends, (isOn) => change({ enterSends: isOn })),
    check("choice.joy", choices.joy, (isOn) => change({ joy: isOn })),
    ...permission(),
    select("notices", choices.notices, (value) => change({ notices: value })),
    check("choice.texts", choices.texts, (isOn) => change({ texts: isOn })),
    select("sounds", choices.sounds, (value) => change({ sounds: value })),
    check("choice.quiet", choices.quiet, (isOn) => change({ quiet: isOn })),
    check("choice.muted", choices.muted.includes(open), (isOn) => {
      const others = choices.muted.filter((key) => key !== open);
      change({ muted: isOn ? [...others, open] : others });
    }, { name }),
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

function select(what, value, changed) {
  const label = make("label", "setting", t(`choice.${what}`));
  const field = make("select", "input");
  field.append(...WHEN.map((when) => {
    const option = make("option", "", t(`choice.${when}`));
    option.value = when;
    option.selected = when === value;
    return option;
  }));
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
