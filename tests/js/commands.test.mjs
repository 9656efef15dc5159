import assert from "node:assert/strict";
import test from "node:test";
import { COMMANDS, complete, nearest, parse } from "../../static/js/commands.js";
import { fullness, isSendKey } from "../../static/js/view/composer.js";

test("a line is text, a command, or neither", () => {
  for (const [line, expected] of [
    ["hello", { kind: "text", text: "hello" }],
    [" /name x", { kind: "text", text: " /name x" }],
    ["//x", { kind: "text", text: "/x" }],
    ["///", { kind: "text", text: "//" }],
    ["/help", { kind: "command", name: "help", rest: "" }],
    ["/NAME  Anna B ", { kind: "command", name: "name", rest: "Anna B" }],
    ["/hooray\nall", { kind: "command", name: "hooray", rest: "all" }],
    ["/", { kind: "unknown", name: "", rest: "", nearest: null }],
    ["/hoory you", { kind: "unknown", name: "hoory", rest: "you", nearest: "hooray" }],
    ["/etc/hosts", { kind: "unknown", name: "etc/hosts", rest: "", nearest: null }],
  ]) {
    assert.deepEqual(parse(line), expected, JSON.stringify(line));
  }
});

test("the nearest command is near", () => {
  for (const [typed, expected] of [
    ["hlep", "help"], ["exti", "exit"], ["memebrs", "members"], ["nam", "name"], ["hist", "history"], ["quit", "exit"], ["xyzzy", null], ["", null],
  ]) {
    assert.equal(nearest(typed), expected, typed);
  }
});

test("completion offers what begins like the word before the caret", () => {
  const names = (line, caret = line.length) => complete(line, caret).map((command) => command.name);
  assert.deepEqual(names("/"), COMMANDS.map((command) => command.name));
  assert.deepEqual(names("/h"), ["help", "history", "hooray"]);
  assert.deepEqual(names("/HO"), ["hooray"]);
  for (const line of ["", "h", "//", "/zzz", "/name ", "a /h", "/name Anna"]) assert.deepEqual(names(line), [], line);
  assert.deepEqual(names("/help", 2), []); // the caret is inside of the word
});

test("a message is full at 32 KiB of UTF-8, and says so early", () => {
  for (const [text, over, noted] of [
    ["a", false, false], ["a".repeat(26_000), false, false], ["a".repeat(27_000), false, true], ["a".repeat(32_768), false, true],
    ["a".repeat(32_769), true, true], ["ä".repeat(16_384), false, true], ["ä".repeat(16_385), true, true],
  ]) {
    const result = fullness(text);
    assert.deepEqual([result.over, result.note !== null], [over, noted], `${text.length} of ${text[0]}`);
  }
});

test("Enter sends, except while a word is being composed", () => {
  const key = (fields) => ({ key: "Enter", shiftKey: false, altKey: false, isComposing: false, keyCode: 13, ...fields });
  assert.equal(isSendKey(key({})), true);
  assert.equal(isSendKey(key({ ctrlKey: true })), true);
  for (const fields of [{ shiftKey: true }, { isComposing: true }, { keyCode: 229 }, { key: "a" }]) {
    assert.equal(isSendKey(key(fields)), false, JSON.stringify(fields));
  }
});
