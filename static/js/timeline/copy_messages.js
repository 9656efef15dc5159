// What is copied from the list of messages.

import { byId } from "../lib/dom.js";
import { timeText } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { nameText } from "../lib/member_name.js";

/** Several messages are copied as lines that can be read anywhere; a part of one stays what was selected. */
export function copyMessages(event, timeline) {
  const selection = document.getSelection();
  const touched = [...byId("list").children].filter((element) => selection.containsNode(element, true));
  const rows = touched.map((element) => timeline.rowOf(element.dataset.key)).filter((row) => row?.type === "message");
  if (rows.length < 2) return;
  event.preventDefault();
  event.clipboardData.setData("text/plain", rows.map(lineOf).join("\n"));
}

/** "[14:05] Anna: text" */
export function lineOf({ isShared, message: { at, author, name, text } }) {
  return t("copy.line", { time: timeText(at), name: nameText(author, name, isShared), text });
}
