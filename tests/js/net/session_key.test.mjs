import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import test from "node:test";
import { waitBefore } from "../../../static/js/net/connection.js";
import {
  fromHex,
  importToken,
  newNonce,
  nodeIsOurs,
  proveOurselves,
  toHex,
  tokenIn,
} from "../../../static/js/net/session_key.js";

const TOKEN = "0123456789abcdef".repeat(4);

/** The contract's words, said by another implementation: HMAC(token, word ‖ A ‖ B) over raw bytes. */
function hmac(word, a, b, token = TOKEN) {
  return createHmac("sha256", Buffer.from(token, "hex")).update(word, "ascii").update(a).update(b).digest();
}

test("hex goes both ways, and nothing else passes for it", () => {
  assert.equal(toHex(fromHex("00ff10")), "00ff10");
  for (const bad of ["0", "0g", "zz", null, undefined, 12]) assert.equal(fromHex(bad), null, String(bad));
});

test("only a whole token is taken from a link", () => {
  assert.equal(tokenIn(`#token=${TOKEN}`), TOKEN);
  for (const bad of [
    "",
    "#token=",
    `#token=${TOKEN}0`,
    `#token=${TOKEN.slice(1)}`,
    `#x&token=${TOKEN}`,
    `#token=${"g".repeat(64)}`,
  ]) {
    assert.equal(tokenIn(bad), null, bad);
  }
});

test("the key cannot be read back", async () => {
  const key = await importToken(TOKEN);
  assert.equal(key.extractable, false);
  await assert.rejects(crypto.subtle.exportKey("raw", key));
});

test("a node that holds the token is ours, and no other", async () => {
  const key = await importToken(TOKEN);
  const [a, b] = [newNonce(), newNonce()];
  assert.equal(await nodeIsOurs(key, a, b, hmac("node", a, b)), true);
  for (const [what, proof, nonce] of [
    ["another token", hmac("node", a, b, "ff".repeat(32)), b],
    ["our own proof sent back", hmac("page", a, b), b],
    ["nonces swapped", hmac("node", b, a), b],
    ["too short", hmac("node", a, b).subarray(1), b],
    ["a nonce of another length", hmac("node", a, b.subarray(1)), b.subarray(1)],
    ["none", null, b],
  ]) {
    assert.equal(await nodeIsOurs(key, a, nonce, proof), false, what);
  }
});

test("our proof is what the contract says", async () => {
  const key = await importToken(TOKEN);
  const [a, b] = [newNonce(), newNonce()];
  assert.equal(await proveOurselves(key, a, b), hmac("page", a, b).toString("hex"));
});

test("waiting grows from half a second to fifteen", () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((tries) => waitBefore(tries, 0)),
    [500, 1000, 2000, 4000, 8000],
  );
  assert.equal(waitBefore(0, 1), 600);
  assert.equal(waitBefore(50, 1), 15_000);
});
