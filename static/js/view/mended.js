// What the node had to mend of its own history, in its own words: one calm line over the field, until the user has
// read it.

import { byId, setText } from "../lib/dom.js";
import { read, write } from "../storage.js";

const KEY = "roomful.mended"; // what was read last, and of which repair
let inMemory = null; // the same, where storage is forbidden

/** What is to be told: null if nothing was mended, or it was read. */
export function mendedToTell({ mended, mended_at: at }) {
  const known = keptRead();
  // What was read may have grown too old to be told; the rest is not news.
  return mended && !(known?.startsWith(`${at} `) && known.includes(mended)) ? mended : null;
}

/** The user has read it. */
export function keepRead({ mended, mended_at: at }) {
  inMemory = `${at} ${mended}`;
  write(KEY, inMemory);
}

export function drawMended(node) {
  const told = mendedToTell(node);
  byId("mended").hidden = told === null;
  setText(byId("mended-text"), told ?? "");
}

const keptRead = () => read(KEY) ?? inMemory;
