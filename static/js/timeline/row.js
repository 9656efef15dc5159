// How one row of the timeline looks. A row is made once and drawn again in place when it changes.

import { clone, make } from "../lib/dom.js";
import { dayText, timeText } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { drawMessage } from "./message_row.js";
import { drawFold, drawNotice } from "./notice_row.js";
import { drawTime } from "./row_time.js";

const TEMPLATES = { message: "t-message", notice: "t-notice", fold: "t-fold", hint: "t-hint", hidden: "t-notice" };

export function makeRow(row) {
  const element = clone(TEMPLATES[row.type] ?? "t-separator");
  element.dataset.key = row.key;
  return element;
}

export function drawRow(element, row) {
  DRAW[row.type](element, row);
}

const DRAW = {
  message: drawMessage,
  notice: (element, row) => {
    element.classList.toggle("notice--alarm", row.isAlarm);
    drawNotice(element.querySelector(".notice__text"), row);
    drawTime(element.querySelector(".notice__time"), row.notice.at, timeText(row.notice.at));
  },
  fold: drawFold,
  hint: drawHint,
  hidden: (element, { n }) => {
    element.querySelector(".notice__text").textContent = t("row.hidden", { n });
  },
  day: (element, row) => drawSeparator(element, "day", dayText(row.at, Date.now())),
  new: (element) => drawSeparator(element, "new", t("row.new")),
  begin: (element, { key }) => drawSeparator(element, "begin", t(`row.${key}`)),
};

function drawSeparator(element, kind, text) {
  element.classList.add(`separator--${kind}`);
  element.querySelector(".separator__label").textContent = text;
}

function drawHint(element, { hint }) {
  element.querySelector(".hint__text").textContent = hint.text;
  const actions = element.querySelector(".hint__actions");
  actions.replaceChildren(
    ...(hint.actions ?? []).map(({ label, run }) => {
      const button = make("button", "button button--link", label);
      button.type = "button";
      button.addEventListener("click", run);
      return button;
    }),
  );
}
