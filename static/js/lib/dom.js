// From data to elements. Whatever somebody typed becomes a text node and nothing else: no HTML is
// ever built here, and the policy that the node sends would refuse it.

import { formOf, t } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";
const HUES = 12;

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

export function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Fills a text's gaps with elements: `fill(line, "notice.joined", {name: nameOf(…)})`. */
export function fill(element, key, values) {
  const pieces = formOf(key, values).split(/\{(\w+)\}/);
  element.replaceChildren(...pieces.map((piece, i) => (i % 2 === 1 ? values[piece] ?? "" : piece)));
}

// --- people ---

/** What a member looks like: twelve hues and a 5 by 5 pattern, both from the key and never from the name. */
export function lookOf(id) {
  const hex = /^[0-9a-f]{12}/i.test(id) ? id : "0".repeat(12);
  const bits = parseInt(hex.slice(0, 8), 16);
  const cells = [];
  for (let row = 0; row < 5; row += 1) {
    for (let column = 0; column < 3; column += 1) {
      if (((bits >>> (row * 3 + column)) & 1) === 0) continue;
      cells.push([column, row]);
      if (column < 2) cells.push([4 - column, row]);
    }
  }
  return { hue: parseInt(hex.slice(8, 12), 16) % HUES, cells };
}

export function identicon(id) {
  const { hue, cells } = lookOf(id);
  const svg = pattern(cells, 5, 0.5);
  svg.setAttribute("class", `identicon hue-${hue}`);
  svg.setAttribute("aria-hidden", "true");
  return svg;
}

/** A picture of square cells, each `[x, y]` of `size`, with an `edge` around it that is this many cells wide. */
export function pattern(cells, size, edge) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `${-edge} ${-edge} ${size + 2 * edge} ${size + 2 * edge}`);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", cells.map(([x, y]) => `M${x} ${y}h1v1h-1z`).join(""));
  svg.append(path);
  return svg;
}

/** The short form of an id, as everywhere else: base32 of its first five bytes. */
export function shortOf(id) {
  const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  let bits = 0n;
  for (let i = 0; i < 10; i += 2) bits = (bits << 8n) | BigInt(parseInt(id.slice(i, i + 2), 16) || 0);
  let short = "";
  for (let shift = 35n; shift >= 0n; shift -= 5n) short += alphabet[Number((bits >> shift) & 31n)];
  return short;
}

/** A name as everybody may read it; the short id goes with it where another key bears the same name. */
export function nameOf(id, name, shared) {
  const element = make("span", `name hue-${lookOf(id).hue}`);
  element.append(make("bdi", "", name || shortOf(id)));
  if (shared) element.append(" ", make("code", "short", shortOf(id)));
  return element;
}

export function nameText(id, name, shared) {
  return shared ? `${name} ${shortOf(id)}` : name || shortOf(id);
}

// --- what was said ---

export function renderSpans(parent, spans, depth = 0) {
  for (const span of spans) parent.append(renderSpan(span, depth));
}

function renderSpan(span, depth) {
  if (depth > 8) return document.createTextNode("");
  switch (span.type) {
    case "text":
      return document.createTextNode(linesOf(span.text));
    case "code":
      return make("code", "", span.text);
    case "pre":
      return make("pre", "", linesOf(span.text));
    case "em":
    case "strong":
      return within(make(span.type), span, depth);
    case "quote":
      return within(make("blockquote"), span, depth);
    case "link":
      return linkTo(span, depth);
    default:
      return span.spans ? within(make("span"), span, depth) : document.createTextNode(span.text ?? "");
  }
}

/** A browser draws a line end of two characters as a space and a line end. */
const linesOf = (text) => text.replaceAll("\r\n", "\n");

function within(element, span, depth) {
  renderSpans(element, span.spans ?? [], depth + 1);
  return element;
}

/** A link, if it goes where links may go; behind it where that is, unless its own words say so. */
function linkTo(span, depth) {
  const { href } = span;
  if (!mayLead(href)) return within(make("span"), span, depth);
  const link = within(make("a"), span, depth);
  link.href = href;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  link.tabIndex = -1; // in a row the arrows lead to it: Tab leaves the list
  const goal = endOf(hiddenGoal(href, link.textContent));
  if (!goal) return link;
  const both = make("span");
  both.append(link, " ", make("bdi", "goal", t("link.goal", { goal })));
  return both;
}

// --- links ---

// Where a link leads, and whether the words in it say so: a host can hide behind other words, in front of an @, or in
// letters of another alphabet.

const GOAL_MAX = 80;
const SCHEMES = new Set(["http:", "https:", "mailto:"]);

/** Characters that turn the order of those around them, or are not seen. */
const DECEIVING = /[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/;

/** Whether a link may lead there. The node checks this too; a page does not take its word for it. */
export function mayLead(href) {
  return URL.canParse(href) && SCHEMES.has(new URL(href).protocol);
}

/** As much of a host as can be read: who it belongs to stands at its end. */
const endOf = (goal) => (goal.length > GOAL_MAX ? `…${goal.slice(1 - GOAL_MAX)}` : goal);

/** The host or address that a link leads to, as a browser writes it, unless that is just what is shown. */
export function hiddenGoal(href, shown) {
  const { protocol, host, pathname } = new URL(href);
  const goal = protocol === "mailto:" ? pathname : host;
  const text = shown.trim().toLowerCase().replace(/^(https?:\/\/|mailto:)/, "");
  const isFirst = text.startsWith(goal.toLowerCase()) && /^($|[/?#])/.test(text.slice(goal.length));
  return isFirst && !DECEIVING.test(shown) ? "" : goal;
}

// --- emoji and the clipboard ---

export const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const EMOJI = /^(?:\p{Extended_Pictographic}|\p{Regional_Indicator}{2})/u;

/** Up to three emoji and nothing else are worth being seen. */
export function isLoneEmoji(text) {
  if (text.length > 60 || !EMOJI.test(text.trimStart())) return false;
  const seen = [...graphemes.segment(text.replace(/\s/g, ""))];
  return seen.length >= 1 && seen.length <= 3 && seen.every(({ segment }) => EMOJI.test(segment));
}

export async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    const before = button.textContent;
    button.textContent = t("copied");
    setTimeout(() => (button.textContent = before), 1500);
  } catch {
    // Without leave to write to the clipboard the text can still be selected.
  }
}
