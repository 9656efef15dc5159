// Keys in the list of messages: from message to message, and out of it in one step.

import { byId } from "../lib/dom.js";
import { HORIZONTAL, indexAfter, moveFocus } from "../lib/roving_focus.js";
import { copyMessages } from "./copy_messages.js";
import { shownPills } from "./jump_pills.js";

const ROW_PX = 60; // about, for moving by a page

export function install(app) {
  const { timeline } = app;
  const scroller = byId("messages");
  const list = byId("list");
  const scene = byId("empty-state"); // before the rows, with fields and buttons of its own
  scroller.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || scene.contains(event.target)) return;
    const current = document.activeElement.closest?.(".row");
    if (event.key === "Enter" && event.target === current) {
      event.preventDefault();
      if (current.classList.contains("message")) return app.showMessageMenu(current);
      return current.querySelector("button, [data-dialog]")?.click();
    }
    if (event.key === "Tab" && !event.shiftKey) {
      if (event.target === scroller && scene.hasChildNodes()) return;
      // Out of the list in one step: the arrows lead to what is in a row, and to the rows below.
      event.preventDefault();
      return (shownPills()[0] ?? byId("field")).focus();
    }
    if (current) {
      if (event.target.matches("pre") && canScroll(event.target, HORIZONTAL[event.key])) return; // the browser does it
      const stops = [current, ...current.querySelectorAll("a, button, pre")].filter(isStop);
      if (moveFocus(event, stops, { keys: HORIZONTAL, wraps: true })) return;
    }
    const rows = [...list.children];
    const index = indexOfRow(event.key, rows.indexOf(current), rows.length, scroller.clientHeight);
    if (index === null) return;
    event.preventDefault();
    const row = rows[index];
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
    if (row === rows.at(-1) && timeline.isWhole) timeline.toEnd();
  });
  list.addEventListener("copy", (event) => copyMessages(event, timeline));
}

/** What an arrow leads to in a row: whatever can be done there, and code that is wider than its room. */
function isStop(element) {
  return element.checkVisibility() && (!element.matches("pre") || element.scrollWidth > element.clientWidth);
}

function canScroll({ scrollLeft, scrollWidth, clientWidth }, step) {
  if (step === undefined) return false;
  return step < 0 ? scrollLeft > 0 : Math.ceil(scrollLeft) < scrollWidth - clientWidth;
}

/** The row that a key leads to; from the list itself to the newest ones. */
function indexOfRow(key, at, count, height) {
  if (count === 0) return null;
  const page = Math.max(1, Math.floor(height / ROW_PX));
  const step = { PageUp: -page, PageDown: page }[key];
  if (step === undefined) {
    if (at < 0 && key === "ArrowDown") return count - 1;
    const index = indexAfter(key, at, count);
    if (index !== null || !["ArrowUp", "ArrowDown"].includes(key)) return index;
    return at; // At an end the row stays in sight.
  }
  return Math.min(count - 1, Math.max(0, (at < 0 ? (step < 0 ? count : -1) : at) + step));
}
