// Keys in the list of messages: from message to message, and out of it in one step. And what is copied from it.

import { byId, nameText } from "../lib/dom.js";
import { t, timeText } from "../lib/texts.js";

const ROW_PX = 60; // about, for moving by a page

/** `showActions(row)` opens the menu of a message. */
export function startListKeys(timeline, showActions) {
  const scroller = byId("messages");
  const list = byId("list");
  scroller.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const current = document.activeElement.closest?.(".row");
    if (event.key === "Enter" && event.target === current) {
      event.preventDefault();
      return current.classList.contains("message") ? showActions(current) : current.querySelector("button")?.click();
    }
    if (event.key === "Tab" && !event.shiftKey && isLastStop(current, document.activeElement)) {
      // Out of the list in one step, not through the rows below.
      event.preventDefault();
      return (document.querySelector(".pill:not([hidden])") ?? byId("field")).focus();
    }
    const aside = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (aside && current) {
      const stops = [current, ...stopsIn(current, "a, button")];
      event.preventDefault();
      return stops.at((stops.indexOf(document.activeElement) + aside) % stops.length).focus();
    }
    const rows = [...list.children];
    const index = rows.indexOf(current);
    const page = Math.max(1, Math.floor(scroller.clientHeight / ROW_PX));
    const goal = {
      ArrowUp: index < 0 ? rows.length - 1 : index - 1, ArrowDown: index < 0 ? rows.length - 1 : index + 1,
      Home: 0, End: rows.length - 1, PageUp: index < 0 ? rows.length - page : index - page, PageDown: index + page,
    }[event.key];
    if (goal === undefined || rows.length === 0) return;
    event.preventDefault();
    const row = rows[Math.min(rows.length - 1, Math.max(0, goal))];
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
    if (row === rows.at(-1) && timeline.isWhole) timeline.toEnd();
  });
  list.addEventListener("copy", (event) => copy(event, timeline));
}

/** Whether Tab has nothing more to stop at in this row. */
function isLastStop(row, active) {
  const stops = stopsIn(row, "button:not([tabindex='-1'])");
  return stops.length === 0 || stops.at(-1) === active;
}

const stopsIn = (row, which) => [...(row?.querySelectorAll(which) ?? [])].filter((stop) => stop.checkVisibility());

/** Several messages are copied as lines that can be read anywhere; a part of one stays what was selected. */
function copy(event, timeline) {
  const selection = document.getSelection();
  const touched = [...byId("list").children].filter((element) => selection.containsNode(element, true));
  const rows = touched.map((element) => timeline.rowOf(element.dataset.key)).filter((row) => row?.type === "message");
  if (rows.length < 2) return;
  event.preventDefault();
  event.clipboardData.setData("text/plain", rows.map(lineOf).join("\n"));
}

/** "[14:05] Anna: text" */
export function lineOf({ at, author, name, shared, text }) {
  return t("copy.line", { time: timeText(at), name: nameText(author, name, shared), text });
}
