import assert from "node:assert/strict";
import test from "node:test";
import { createAttachments, FILES_MAX } from "../../../static/js/files/attachments.js";

const answer = (body) => ({ ok: true, json: async () => body });
const file = (name) => ({ name, size: 3, slice: () => "abc" });
const node = async (path) =>
  answer(path.endsWith("uploads") ? { upload: "1", offset: 0 } : { content: "c1", name: "clean" });
const made = (send = node) => createAttachments({ send, changed() {}, measure: async () => ({ width: 2, height: 1 }) });

test("a ready file is taken by one message", async () => {
  const attachments = made();
  const done = attachments.add("c:general", [file("a")]);
  assert.equal(attachments.isReady("c:general"), false);
  await done;
  assert.equal(attachments.isReady("c:general"), true);
  assert.deepEqual(attachments.take("c:other"), {}, "of another conversation");
  assert.deepEqual(attachments.take("c:general"), {
    files: [{ content: "c1", name: "clean", width: 2, height: 1 }],
  });
  assert.deepEqual(attachments.take("c:general"), {});
});

test("a removed file stops its upload", async () => {
  let signal = null;
  const attachments = made((_, options) => {
    ({ signal } = options);
    return new Promise(() => {});
  });
  attachments.add("c:general", [file("a")]);
  await new Promise(setImmediate); // the upload has begun
  attachments.remove("c:general", attachments.of("c:general")[0].id);
  assert.equal(signal.aborted, true);
  assert.equal(attachments.hasAny("c:general"), false);
});

test("a failed upload is told and never sent", async () => {
  const attachments = made(async () => ({ ok: false, json: async () => ({ message: "No room." }) }));
  await attachments.add("c:general", [file("a")]);
  assert.equal(attachments.of("c:general")[0].error, "No room.");
  assert.equal(attachments.isReady("c:general"), false);
});

test("too many files are refused as a whole", () => {
  const attachments = made();
  const files = Array.from({ length: FILES_MAX + 1 }, (_, i) => file(String(i)));
  assert.equal(attachments.add("c:general", files), null);
  assert.equal(attachments.hasAny("c:general"), false);
});

test("a failed upload can be tried again", async () => {
  let isFull = true;
  const attachments = made(async (path) =>
    isFull ? { ok: false, json: async () => ({ message: "Full." }) } : node(path),
  );
  await attachments.add("c:general", [file("a")]);
  isFull = false;
  const [{ id }] = attachments.of("c:general");
  await attachments.retry("c:general", id);
  assert.equal(attachments.isReady("c:general"), true);
  assert.equal(attachments.retry("c:general", id), undefined, "what is ready is not uploaded again");
});

test("what is prepared is uploaded in place of the file", async () => {
  let size = 0;
  const send = (path, options) => {
    if (path.endsWith("uploads")) ({ size } = JSON.parse(options.body));
    return node(path);
  };
  const attachments = createAttachments({ send, changed() {}, prepare: async () => ({ ...file("a"), size: 2 }) });
  await attachments.add("c:general", [file("a")]);
  assert.equal(size, 2);
  assert.equal(attachments.of("c:general")[0].size, 2);
});
