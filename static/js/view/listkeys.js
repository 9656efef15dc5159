// Keys in the list of messages: from message to message, and out of it in one step. And what is copied from it.

import { byId, nameText } from "../lib/dom.js";
import { t, timeText } from "../lib/texts.js";

const ROW_PX = 60; // about, for moving by a page
const ASIDE = { ArrowLeft: -1, ArrowRight: 1 };

/** `showActions(row)` opens the menu of a message. */
export function startListKeys(timeline, showActions) {
  const scroller = byId("messages");
  const list = byId("list");
  const scene = byId("scene"); // before the rows, with fields and buttons of its own
  scroller.addEventListener("keydown", (event) => {
    if (isHeld(event) || scene.contains(event.target)) return;
    const current = document.activeElement.closest?.(".row");
    if (event.key === "Enter" && event.target === current) {
      event.preventDefault();
      return current.classList.contains("message") ? showActions(current) : current.querySelector("button")?.click();
    }
    if (event.key === "Tab" && !event.shiftKey) {
      if (event.target === scroller && scene.hasChildNodes()) return;
      // Out of the list in one step: the arrows lead to what is in a row, and to the rows below.
      event.preventDefault();
      return (shownPills()[0] ?? byId("field")).focus();
    }
    const aside = ASIDE[event.key];
    if (aside && current) {
      const stops = [current, ...current.querySelectorAll("a, button")].filter((stop) => stop.checkVisibility());
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
  startPillKeys(byId("pills"), scroller);
}

const isHeld = ({ altKey, ctrlKey, metaKey }) => altKey || ctrlKey || metaKey;

const shownPills = () => [...byId("pills").children].filter((pill) => !pill.hidden);

/** The pills are one stop for Tab, however many there are: the arrows go among them. One that goes hands on the focus. */
function startPillKeys(pills, scroller) {
  pills.addEventListener("keydown", (event) => {
    if (isHeld(event)) return;
    const shown = shownPills();
    const aside = ASIDE[event.key];
    if (aside) shown.at((shown.indexOf(document.activeElement) + aside) % shown.length).focus();
    else if (event.key === "Tab") (event.shiftKey ? scroller : byId("field")).focus();
    else return;
    event.preventDefault();
  });
  let focused = null; // browsers tell it of one that is hidden at different times, and some not at all
  pills.addEventListener("focusin", ({ target }) => (focused = target));
  new MutationObserver(() => {
    if (focused?.hidden && [focused, document.body].includes(document.activeElement)) scroller.focus({ preventScroll: true });
  }).observe(pills, { subtree: true, attributeFilter: ["hidden"] });
}

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
