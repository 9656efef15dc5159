import assert from "node:assert/strict";
import test from "node:test";
import { upload } from "../../../static/js/net/upload.js";

const PART = 8 * 1024 * 1024;
const answer = (status, body) => ({ ok: status < 300, json: async () => body });

/** A file of zeros, and a node that takes it. `answers` come first, before the node does what it should. */
function scene(size, answers = []) {
  const asked = [];
  const file = { name: "a.bin", size, slice: (from, to) => ({ from, to: Math.min(to, size) }) };
  const send = async (path, { body }) => {
    if (path === "/api/v1/uploads") return answer(201, { upload: "7", offset: 0 });
    asked.push([path.split("=")[1], body.to]);
    const told = answers.shift();
    if (told instanceof Error) throw told;
    if (told) return told;
    return body.to === size ? answer(201, { content: "ab", name: "a.bin" }) : answer(200, { offset: body.to });
  };
  return { asked, run: () => upload(file, { send, wait: async () => {} }) };
}

test("a file goes out in parts of at most 8 MiB", async () => {
  const { asked, run } = scene(2 * PART + 5);
  assert.equal((await run()).content, "ab");
  assert.deepEqual(asked, [
    ["0", PART],
    [String(PART), 2 * PART],
    [String(2 * PART), 2 * PART + 5],
  ]);
});

test("an upload goes on where the node says", async () => {
  const { asked, run } = scene(PART, [new Error("cut"), answer(409, { error: "bad_offset", offset: 9 })]);
  assert.equal((await run()).content, "ab");
  assert.deepEqual(
    asked.map(([offset]) => offset),
    ["0", "0", "9"],
  );
});

test("a refusal ends an upload with its sentence", async () => {
  await assert.rejects(scene(5, [answer(507, { error: "quota", message: "No room." })]).run(), /No room\./);
});

test("a node that stays away ends an upload", async () => {
  const cut = Array.from({ length: 9 }, () => new Error("cut"));
  const { asked, run } = scene(5, cut);
  await assert.rejects(run(), /cut/);
  assert.equal(asked.length, 6);
});
