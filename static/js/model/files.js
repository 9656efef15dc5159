// Files as they are now: what the node told of them since their messages came.

import { frames } from "./frames.js";

/** Keeps the newest state of a file. */
export function keepFile(state, file) {
  state.files.set(file.content, file);
}

frames.on("file", (state, { file }) => {
  keepFile(state, file);
  return ["files"];
});

frames.on("welcome", (state) => {
  state.files.clear(); // later states may have been missed
  return ["files"];
});
