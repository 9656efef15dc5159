// From data to elements. Typed text becomes a text node and nothing else: no HTML is
// ever built here, and the policy that the node sends would refuse it.

import { formOf, t } from "./i18n.js";

/** An element of the shell, of whatever kind. @type {(id: string) => any} */
export const byId = (id) => document.getElementById(id);

let dialogs = null; // a live list: asked for with every message, it must not search the page each time
/** Whether a dialog lies over the page. One that was closed stays in the document for a moment. */
export const isDialogOpen = () => [...(dialogs ??= document.getElementsByTagName("dialog"))].some(({ open }) => open);

/** A copy of a `<template>`, with the texts that its parts ask for. */
export function clone(id) {
  const fragment = byId(id).content.cloneNode(true);
  for (const element of fragment.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  return fragment.childElementCount === 1 ? fragment.firstElementChild : fragment;
}

/** Changes the text only if it is another: what did not change is not read out again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Shows a command, of which no word is broken if it fits a line. */
export function showCommand(element, command) {
  if (element.textContent === command) return;
  element.replaceChildren(
    ...command.split(" ").flatMap((word, i) => [i > 0 ? " " : "", make("span", "command-word", word)]),
  );
}

export function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Fills a text's gaps with elements: `fill(line, "notice.joined", {name: nameOf(…)})`. */
export function fill(element, key, values) {
  const pieces = formOf(key, values).split(/\{(\w+)\}/);
  element.replaceChildren(...pieces.map((piece, i) => (i % 2 === 1 ? (values[piece] ?? "") : piece)));
}

const drawnFrom = new WeakMap(); // element -> JSON
/** Runs `draw(element)` only if the values are others than before: focus and selected text in it stay meanwhile. */
export function drawIfChanged(element, values, draw) {
  const json = JSON.stringify(values);
  if (drawnFrom.get(element) === json) return;
  drawnFrom.set(element, json);
  draw(element);
}
