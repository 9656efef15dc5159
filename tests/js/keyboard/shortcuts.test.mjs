import assert from "node:assert/strict";
import test from "node:test";

const dialogs = [];
globalThis.document = Object.assign(new EventTarget(), { getElementsByTagName: () => dialogs });
const { createKeyboard, keyName } = await import("../../../static/js/keyboard/shortcuts.js");

function press(key, held = {}) {
  const event = Object.assign(new Event("keydown", { cancelable: true }), { key, ...held });
  document.dispatchEvent(event);
  return event.defaultPrevented;
}

test("a key has one name on all keyboards", () => {
  for (const [event, name] of [
    [{ key: "k", ctrlKey: true }, "Control+K"],
    [{ key: "K", ctrlKey: true }, "Control+K"],
    [{ key: "k", metaKey: true }, "Control+K"],
    [{ key: "F", ctrlKey: true, shiftKey: true }, "Control+Shift+F"],
    [{ key: "/", ctrlKey: true, shiftKey: true }, "Control+/"],
    [{ key: "ArrowUp", altKey: true, shiftKey: true }, "Alt+Shift+ArrowUp"],
    [{ key: "Escape" }, "Escape"],
  ]) {
    assert.equal(keyName(event), name);
  }
});

test("the first shortcut that means the key takes it", () => {
  const keyboard = createKeyboard();
  const done = [];
  const add = (name, fields) => keyboard.add({ run: () => void done.push(name), ...fields });
  add("last", { when: ({ key }) => key.length === 1, order: 9, prevents: false });
  add("not now", { keys: ["Escape"], run: () => false });
  add("close", { keys: ["Escape"] });
  add("first", { keys: ["Escape"], order: -1, run: () => done.push("asked") === 0 });
  assert.equal(press("Escape"), true);
  assert.deepEqual(done.splice(0), ["asked", "close"]);
  assert.equal(press("x"), false, "the character is typed");
  assert.deepEqual(done.splice(0), ["last"]);
  dialogs.push({ open: true });
  assert.equal(press("Escape"), false, "a dialog has its own keys");
  dialogs.pop();
  assert.deepEqual(done, []);
});
