import assert from "node:assert/strict";
import { test } from "node:test";

import { fill, isPicture, pictureOf } from "../../../static/js/files/pictures.js";

const bytes = (head, length = 64) => {
  const all = new Uint8Array(length);
  all.set([...head].map((part) => (typeof part === "string" ? part.charCodeAt(0) : part)));
  return all;
};

test("the first bytes tell the type and the size", () => {
  const png = bytes([0x89, ..."PNG", 13, 10, 26, 10, 0, 0, 0, 13, ..."IHDR", 0, 0, 3, 0, 0, 0, 2, 0]);
  assert.deepEqual(pictureOf(png), { type: "image/png", width: 768, height: 512 });
  const gif = bytes([..."GIF89a", 0x40, 1, 0xf0, 0]);
  assert.deepEqual(pictureOf(gif), { type: "image/gif", width: 320, height: 240 });
  const jpeg = bytes([0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xc2, 0, 17, 8, 0, 90, 0, 120]);
  assert.deepEqual(pictureOf(jpeg), { type: "image/jpeg", width: 120, height: 90 });
  const webp = bytes([..."RIFF", 0, 0, 0, 0, ..."WEBPVP8X", 10, 0, 0, 0, 0, 0, 0, 0, 99, 0, 0, 49, 0, 0]);
  assert.deepEqual(pictureOf(webp), { type: "image/webp", width: 100, height: 50 });
  const avif = bytes([0, 0, 0, 28, ..."ftypavif", 0, 0, 0, 0, ..."ispe", 0, 0, 0, 0, 0, 1, 0x86, 0xa0, 0, 0, 0, 1]);
  assert.deepEqual(pictureOf(avif), { type: "image/avif", width: 100_000, height: 1 });
});

test("what is no picture is not decoded", () => {
  assert.equal(pictureOf(bytes([..."<svg xmlns='http://www.w3.org/2000/svg'>"])), null);
  assert.equal(pictureOf(bytes([..."<!doctype html><script>alert(1)</script>"])), null);
  assert.equal(pictureOf(bytes([0xff, 0xd8, 0, 0])), null, "a JPEG without a frame");
  assert.equal(pictureOf(new Uint8Array(8)), null, "too short");
});

test("a box is kept only for what a message calls a picture", () => {
  const picture = { media_type: "image/png", width: 4, height: 3, size: 100 };
  assert.equal(isPicture(picture), true);
  assert.equal(isPicture({ ...picture, media_type: "image/svg+xml" }), false);
  assert.equal(isPicture({ ...picture, width: null }), false);
  assert.equal(isPicture({ ...picture, size: 2 ** 40 }), false);
});

test("a box asks for its picture once, and again after an error", async () => {
  const img = { src: "", dataset: {}, hidden: false };
  const gif = bytes([..."GIF89a", 0x40, 1, 0xf0, 0]);
  let asked = 0;
  let ok = false;
  const fetch = async () => {
    asked += 1;
    return { ok, status: ok ? 200 : 503, arrayBuffer: async () => gif.buffer };
  };
  await assert.rejects(fill(img, { content: "c1", state: "here" }, { fetch }));
  assert.equal(img.hidden, false, "it may come later");
  ok = true;
  await Promise.all([1, 2, 3].map(() => fill(img, { content: "c1", state: "here" }, { fetch })));
  await fill(img, { content: "c1", state: "here" }, { fetch });
  assert.match(img.src, /^blob:/);
  assert.equal(asked, 2);

  const none = { src: "", dataset: {}, hidden: false };
  const text = async () => ({ ok: true, arrayBuffer: async () => new Uint8Array(64).buffer });
  await fill(none, { content: "c2", state: "here" }, { fetch: text });
  assert.equal(none.hidden, true);
});
