import assert from "node:assert/strict";
import test from "node:test";
import { buttonsOf, fileStateText } from "../../../static/js/files/cards.js";
import "../../../static/js/model/files.js";
import { appWith } from "../app.mjs";

const file = (fields) => fileStateText({ size: 1_500_000, have: 0, holders: null, ...fields });

test("a card tells size, state and holders", () => {
  assert.match(file({ state: "remote", holders: 2 }), /^1\.5 MB · not on this computer · 2 members have it$/);
  assert.match(file({ state: "fetching", have: 750_000 }), /50 % here$/);
  assert.match(file({ state: "here", have: 1_500_000 }), /here$/);
});

test("a card of a message on its way tells only what is known", () => {
  assert.equal(fileStateText({ content: "c1", name: "a" }), "");
});

test("a frame of a file is its state now", () => {
  const app = appWith();
  const topics = app.hear({ type: "file", file: { content: "c1", state: "here" } });
  assert.deepEqual([...topics], ["files"]);
  assert.equal(app.state.files.get("c1").state, "here");
});

test("a card offers what its state allows", () => {
  assert.deepEqual(buttonsOf({ state: "remote", pinned: false }), ["fetchFile"]);
  assert.deepEqual(buttonsOf({ state: "remote", have: 5 }), ["resumeFetch", "cancelFetch"]);
  assert.deepEqual(buttonsOf({ state: "fetching", pinned: false }), ["pauseFetch", "cancelFetch"]);
  assert.deepEqual(buttonsOf({ state: "failed" }), ["retryFetch"]);
  assert.deepEqual(buttonsOf({ state: "here", pinned: false }), ["saveFile", "pinFile"]);
  assert.deepEqual(buttonsOf({ state: "here", pinned: true }), ["saveFile", "unpinFile"]);
  assert.deepEqual(buttonsOf({ state: "gone", pinned: false }), []);
});

test("sounds and films are played up to a size", () => {
  const film = { state: "here", pinned: false, media_type: "video/webm" };
  assert.deepEqual(buttonsOf({ ...film, size: 64 * 1024 * 1024 })[0], "playFile");
  assert.deepEqual(buttonsOf({ ...film, size: 64 * 1024 * 1024 + 1 })[0], "saveFile");
});

test("a paused file says so, a moving one its rate", () => {
  assert.match(file({ state: "remote", have: 750_000 }), /50 % here, paused$/);
  assert.match(fileStateText({ state: "fetching", size: 10, have: 1, holders: null }, 2_500_000), /2\.5 MB\/s$/);
});
