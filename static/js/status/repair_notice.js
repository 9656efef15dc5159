// What the node had to repair of its own history, in its own words: one calm line over the field, until the user has
// read it.

import { byId, setText } from "../lib/dom.js";
import { read, write } from "../lib/storage.js";

const KEY = "roomful.mended"; // what was read last, and of which repair
let inMemory = null; // the same, where storage is forbidden

/** What is to be told: null if nothing was mended, or it was read. */
export function repairToTell({ mended, mended_at: at }) {
  const known = keptRead();
  // What was read may have grown too old to be told; the rest is not news.
  return mended && !(known?.startsWith(`${at} `) && known.includes(mended)) ? mended : null;
}

/** The user has read it. */
export function keepRead({ mended, mended_at: at }) {
  inMemory = `${at} ${mended}`;
  write(KEY, inMemory);
}

/** @param {import("../app.js").App} app */
export function install({ state, views, composer }) {
  views.add({
    topics: ["session"],
    draw() {
      const { node } = state.session;
      if (node === null) return;
      const told = repairToTell(node);
      byId("repair-notice").hidden = told === null;
      setText(byId("repair-notice-text"), told ?? "");
    },
  });
  byId("repair-notice-close").addEventListener("click", () => {
    keepRead(state.session.node);
    views.touch("session");
    composer.focus();
  });
}

const keptRead = () => read(KEY) ?? inMemory;
