import assert from "node:assert/strict";
import test from "node:test";
import { Connection } from "../../../static/js/net/connection.js";
import { takeKeyFromAddress } from "../../../static/js/net/session_key.js";

const TOKEN = "5c".repeat(32);
const MINUTE_MS = 60_000;

let sockets = [];

class FakeWebSocket {
  static OPEN = 1;
  readyState = 1;
  sent = [];

  constructor() {
    sockets.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.isClosed = true;
  }
}

/** What the page has of a browser, with a key and without storage. `answer` is how the node answers HTTP. */
async function browser(answer) {
  sockets = [];
  Object.assign(globalThis, {
    WebSocket: FakeWebSocket,
    addEventListener: () => {},
    document: { hidden: false, addEventListener: () => {} },
    location: { host: "localhost:7680", hash: `#token=${TOKEN}`, pathname: "/" },
    history: { replaceState: () => {} },
    fetch: async (...asked) => answer(...asked),
  });
  assert.ok(await takeKeyFromAddress());
  const connection = new Connection({ resume: () => ({}), frame: () => {}, changed: () => {} });
  await connection.open();
  return connection;
}

/** Lets promises settle, also those of the browser's cryptography. */
const settle = async () => {
  for (let turn = 0; turn < 20; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    await crypto.subtle.digest("SHA-256", new Uint8Array()); // however busy the machine is, it comes after the others
  }
};

test("a node that refuses this name is not tried again", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const asked = [];
  const connection = await browser((...request) => asked.push(request) && { status: 403 });
  sockets[0].onclose({ code: 1006 });
  await settle();
  assert.equal(connection.phase, "restarted");
  t.mock.timers.tick(MINUTE_MS);
  await settle();
  assert.deepEqual([sockets.length, asked.length, asked[0][0]], [1, 1, "/"]);
});

test("a node that is away is tried again", async (t) => {
  for (const answer of [() => Promise.reject(new TypeError()), () => ({ status: 200 })]) {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const connection = await browser(answer);
    sockets[0].onclose({ code: 1006 });
    await settle();
    assert.equal(connection.phase, "waiting");
    t.mock.timers.tick(1_000);
    await settle();
    assert.equal(sockets.length, 2);
    t.mock.timers.reset();
  }
});

test("a node without a proof gets a nonce and no more", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const connection = await browser(() => ({ status: 200 }));
  const [ws] = sockets;
  ws.onopen();
  ws.onmessage({ data: JSON.stringify({ type: "challenge", nonce: "00".repeat(32), proof: "11".repeat(32) }) });
  await settle();
  assert.deepEqual(
    ws.sent.map(({ type, ...rest }) => [type, Object.keys(rest)]),
    [["hello", ["nonce"]]],
  );
  assert.deepEqual([connection.phase, ws.isClosed], ["stranger", true]);
  t.mock.timers.tick(MINUTE_MS);
  await settle();
  assert.equal(sockets.length, 1);
});
