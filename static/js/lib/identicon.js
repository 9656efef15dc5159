// What a member looks like everywhere: picture, short id and name, all from the key.

import { make } from "./dom.js";
import { shortOf } from "./member_name.js";

const SVG = "http://www.w3.org/2000/svg";
const HUES = 12;

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

/** A member's name, with the short id where another key has the same name. */
export function nameOf(id, name, shared) {
  const element = make("span", `name hue-${lookOf(id).hue}`);
  element.append(make("bdi", "", name || shortOf(id)));
  if (shared) element.append(" ", make("code", "short-id", shortOf(id)));
  return element;
}

/** Lets a name or a picture open the member's profile. By keys the row's menu or Enter leads there. */
export function opensProfile(element, id) {
  element.dataset.dialog = "profile";
  element.dataset.argument = id;
  return element;
}
