import assert from "node:assert/strict";
import test from "node:test";
import { composerModes, modeOf } from "../../../static/js/composer/modes.js";
import { createState } from "../../../static/js/model/state.js";
import { setComposerMode } from "../../../static/js/model/ui.js";

test("the mode says what becomes of a text", () => {
  const state = createState();
  const said = [];
  modeOf(state).submit({ say: (text) => said.push(text) }, "hello");
  composerModes.shout = { keepsDraft: true, takesCommands: false, submit: ({ say }, text, { end }) => say(text + end) };
  setComposerMode(state, { type: "shout", end: "!" });
  modeOf(state).submit({ say: (text) => said.push(text) }, "hello", state.ui.composerMode);
  assert.deepEqual(said, ["hello", "hello!"]);
  setComposerMode(state, { type: "mumble" });
  assert.throws(() => modeOf(state), /mumble/);
  delete composerModes.shout;
});
