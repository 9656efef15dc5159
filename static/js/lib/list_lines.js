// Lists stay as they were typed: a line that begins with a sign or a number gets its further lines aligned, and
// nothing else changes.

import { make } from "./dom.js";

const SIGN = /^[ \t]*(?:[-*+•–]|\d{1,3}[.)])[ \t]+(?=\S)/;
const HAS_SIGN = /^[ \t]*(?:[-*+•–]|\d{1,3}[.)])[ \t]/m;
const ITEMS_MAX = 500; // each is two elements more

/** Puts each line of a list in an element of its own. The line's text and what is formatted in it move there. */
export function alignLists(parent) {
  const nodes = [...parent.childNodes];
  if (!nodes.some((node) => node.nodeType === Node.TEXT_NODE && HAS_SIGN.test(node.data))) return;
  let item = null; // the line that goes on
  let isBegin = true;
  let left = ITEMS_MAX;
  for (const node of nodes) {
    if (node.nodeType !== Node.TEXT_NODE) {
      isBegin = isBlock(node);
      if (isBegin) item = null;
      item?.append(node);
      continue;
    }
    const lines = node.data.split(/(?<=\n)/);
    node.data = "";
    for (const line of lines) {
      const [sign] = (isBegin && left > 0 && SIGN.exec(line)) || [];
      if (sign) {
        endLine(node.previousSibling);
        item = itemOf(sign);
        node.before(item);
        left -= 1;
      }
      isBegin = line.endsWith("\n");
      const text = line.slice(sign?.length ?? 0);
      if (item)
        item.append(isBegin ? text.slice(0, -1) : text); // an item is a line of its own already
      else node.before(text);
      if (isBegin) item = null;
    }
    node.remove();
  }
}

/** Takes the line end from the text before an item, which begins a line by itself. */
function endLine(before) {
  if (before?.nodeType === Node.TEXT_NODE) before.data = before.data.replace(/\n$/, "");
}

const isBlock = (element) => element.tagName === "BLOCKQUOTE" || element.classList.contains("code-block");

function itemOf(sign) {
  const item = make("span", "list-item");
  item.style.setProperty("--sign", String(sign.length));
  item.append(make("span", "list-item__sign", sign));
  return item;
}
