import assert from "node:assert/strict";
import test from "node:test";
import {
  NodeStorage,
  begin,
  keys,
  keysOfTab,
  read,
  readOfTab,
  write,
  writeOfTab,
} from "../../../static/js/lib/storage.js";

/** A storage whose frames are kept here, as long as `isOpen`. */
function bench() {
  const link = { isOpen: true, frames: [] };
  const storage = new NodeStorage({ send: (frame) => link.isOpen && link.frames.push(frame) > 0 });
  storage.welcome({});
  const take = () => link.frames.splice(0);
  const set = (key, text) => {
    storage.write(key, text);
    storage.flush();
  };
  return { link, storage, set, take, said: () => take().map(({ key, value }) => [key, value]) };
}

test("items of the welcome are read", () => {
  const { storage } = bench();
  storage.welcome({ a: "1", b: "2" });
  assert.equal(storage.read("a"), "1");
  assert.equal(storage.read("c"), null);
  assert.deepEqual(storage.keys(), ["a", "b"]);
  assert.equal(storage.isSaved, true);
});

test("a change is saved once the node confirms it", () => {
  const { storage, set, take } = bench();
  set("a", "1");
  assert.equal(storage.isSaved, false);
  const [{ type, ref, key, value }] = take();
  assert.deepEqual([type, key, value], ["storage", "a", "1"]);
  assert.equal(storage.answered("another", true), false);
  assert.equal(storage.answered(ref, true), true);
  assert.equal(storage.isSaved, true);
  set("a", "1");
  assert.deepEqual(take(), []);
});

test("an older answer does not confirm a newer value", () => {
  const { storage, set, take } = bench();
  set("a", "1");
  set("a", "2");
  const [first, second] = take();
  storage.answered(first.ref, true);
  assert.equal(storage.isSaved, false);
  storage.answered(second.ref, true);
  assert.equal(storage.isSaved, true);
});

test("an item that is gone at once is never sent", () => {
  const { storage, said } = bench();
  storage.write("outbox", "one message");
  storage.write("outbox", null);
  storage.flush();
  assert.deepEqual(said(), []);
  assert.equal(storage.isSaved, true);
});

test("changes of a cut go out with the next welcome", () => {
  const { link, storage, set, take, said } = bench();
  set("sent", "1");
  const [{ ref }] = take();
  link.isOpen = false;
  set("typed", "2");
  assert.equal(storage.isSaved, false);
  link.isOpen = true;
  storage.welcome({ sent: "0", other: "3" });
  assert.deepEqual(said().sort(), [
    ["sent", "1"],
    ["typed", "2"],
  ]);
  assert.equal(storage.read("sent"), "1");
  assert.equal(storage.read("other"), "3");
  assert.equal(storage.answered(ref, true), false, "an answer of the connection before");
});

test("a refused value is not saved and not sent again", () => {
  const { storage, set, take, said } = bench();
  set("a", "1");
  storage.answered(take()[0].ref, false);
  storage.flush();
  assert.deepEqual(take(), []);
  assert.deepEqual([storage.isSaved, storage.isRefused], [false, true]);
  set("a", "2");
  assert.equal(storage.isRefused, false);
  assert.deepEqual(said(), [["a", "2"]]);
  set("a", "1");
  assert.deepEqual(said(), [["a", "1"]], "another try of the user");
});

test("a value that is too large is never sent", () => {
  const { storage, set, take } = bench();
  set("a", "é".repeat(48 * 1024 + 1));
  assert.deepEqual(take(), []);
  assert.deepEqual([storage.isSaved, storage.isRefused], [false, true]);
  set("a", "é".repeat(48 * 1024));
  assert.equal(take().length, 1);
});

test("an item of another tab is read and not sent", () => {
  const { storage, set, take } = bench();
  storage.hear({ key: "choices", text: "{}" });
  assert.equal(storage.read("choices"), "{}");
  set("choices", "{}");
  assert.deepEqual(take(), []);
  set("choices", null);
  assert.equal(take().length, 1);
});

/** A storage of the browser: its items are its own properties, as in a real one. */
class BrowserStorage {
  getItem(key) {
    return Object.hasOwn(this, key) ? this[key] : null;
  }

  setItem(key, text) {
    if (key === "forbidden") throw new Error("no");
    this[key] = text;
  }

  removeItem(key) {
    delete this[key];
  }
}

function inBrowser() {
  globalThis.localStorage = new BrowserStorage();
  globalThis.sessionStorage = new BrowserStorage();
  const frames = [];
  return { frames, send: (frame) => frames.push(frame) > 0 };
}

test("a machine that is not shared uses the browser", () => {
  const { frames, send } = inBrowser();
  begin({ node: { shared: false } }, send);
  assert.equal(write("a", "1"), true);
  writeOfTab("b", "2");
  assert.deepEqual([read("a"), keys("a"), readOfTab("b"), keysOfTab("b")], ["1", ["a"], "2", ["b"]]);
  assert.deepEqual([{ ...localStorage }, { ...sessionStorage }], [{ a: "1" }, { b: "2" }]);
  assert.equal(write("forbidden", "3"), false);
  assert.deepEqual(frames, []);
});

test("items of a shared start return to the browser", () => {
  const { frames, send } = inBrowser();
  localStorage.setItem("known", "mine");
  begin({ node: {}, storage: { draft: "begun", known: "older", forbidden: "stays" } }, send);
  assert.deepEqual({ ...localStorage }, { draft: "begun", known: "mine" });
  assert.deepEqual(
    frames.map(({ key, value }) => [key, value]),
    [
      ["draft", null],
      ["known", null],
    ],
  );
});

test("a shared machine leaves no text in the browser", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { frames, send } = inBrowser();
  globalThis.BroadcastChannel = class {
    postMessage() {}
  };
  begin({ node: { shared: true }, storage: { draft: "begun" } }, send);
  assert.equal(read("draft"), "begun");
  write("outbox", "unsent");
  writeOfTab("field", "typed");
  t.mock.timers.tick(1_000);
  assert.deepEqual(
    [read("outbox"), keys("out"), readOfTab("field"), keysOfTab("")],
    ["unsent", ["outbox"], "typed", ["field"]],
  );
  assert.deepEqual(
    frames.map(({ key, value }) => [key, value]),
    [["outbox", "unsent"]],
  );
  assert.deepEqual([{ ...localStorage }, { ...sessionStorage }], [{}, {}]);
});
