import assert from "node:assert/strict";
import test from "node:test";
import { filesNamed } from "../../../static/js/dialogs/files.js";
import { picturesOf } from "../../../static/js/dialogs/lightbox.js";

test("files are found by parts of their names", () => {
  const files = [{ name: "Plan of the house.pdf" }, { name: "house.png" }];
  assert.deepEqual(filesNamed(files, ""), files);
  assert.deepEqual(filesNamed(files, " HOUSE plan"), [files[0]]);
  assert.deepEqual(filesNamed(files, "garden"), []);
});

test("pictures stand in the order of their messages, each once", () => {
  const picture = (content) => ({ content, media_type: "image/png", width: 2, height: 1 });
  const messages = [
    { id: 1, files: [picture("a"), { content: "x", media_type: "text/plain" }] },
    { id: 2, deleted: true, files: [picture("gone")] },
    { id: 3, files: [picture("b"), picture("a")] },
    { id: 4 },
  ];
  assert.deepEqual(
    picturesOf(messages).map(({ file }) => file.content),
    ["a", "b"],
  );
});
