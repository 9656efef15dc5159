import assert from "node:assert/strict";
import test from "node:test";
import {
  COMMANDS,
  channelName,
  complete,
  findMember,
  nearest,
  parse,
} from "../../../static/js/composer/command_parser.js";
import { run, wholeness } from "../../../static/js/composer/command_handlers.js";
import { fullness, isSendKey } from "../../../static/js/composer/composer.js";

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
    ["hlep", "help"],
    ["exti", "exit"],
    ["memebrs", "members"],
    ["nam", "name"],
    ["hist", "history"],
    ["quit", "exit"],
    ["xyzzy", null],
    ["", null],
  ]) {
    assert.equal(nearest(typed), expected, typed);
  }
});

test("completion offers what begins like the word before the caret", () => {
  const names = (line, caret = line.length) => complete(line, caret).map((command) => command.name);
  assert.deepEqual(
    names("/"),
    COMMANDS.map((command) => command.name),
  );
  assert.deepEqual(names("/h"), ["help", "history", "hooray"]);
  assert.deepEqual(names("/HO"), ["hooray"]);
  for (const line of ["", "h", "//", "/zzz", "/name ", "a /h", "/name Anna"]) assert.deepEqual(names(line), [], line);
  assert.deepEqual(names("/help", 2), []); // the caret is inside of the word
});

const member = (digit, name, fields = {}) => ({
  id: digit.repeat(64),
  short: `${digit}${digit}xyz234`,
  name,
  ...fields,
});
const ANNA = member("a", "Anna");
const ANNA_B = member("b", "Anna Bell");
const BEN = member("c", "Ben");
const OTHER_BEN = member("d", "ＢＥＮ");

test("a member is found by id or by whole name, ids first, and never by guessing between two", () => {
  const members = [ANNA, ANNA_B, BEN];
  for (const [rest, found, text] of [
    ["anna hello", ANNA, "hello"],
    ["Anna Bell hello", ANNA_B, "hello"],
    ["Anna Bellman", ANNA, "Bellman"],
    ["ben", BEN, ""],
    ["bbxy  hi\nthere", ANNA_B, "hi\nthere"],
    ["cccccc hi", BEN, "hi"],
    ["cc hi", undefined, undefined],
    ["Annab", undefined, undefined],
    ["", undefined, undefined],
  ]) {
    const result = findMember(members, rest);
    assert.deepEqual([result.member, result.text], [found, text], rest);
  }
  const both = { several: [BEN, OTHER_BEN], text: "hi" };
  assert.deepEqual(findMember([BEN, OTHER_BEN], "Ben hi"), both);
  assert.deepEqual(findMember([BEN, { ...OTHER_BEN, id: BEN.id }], `${BEN.id.slice(0, 4)} hi`).text, "hi");
  assert.equal(findMember([BEN, OTHER_BEN], "ddxy hi").member, OTHER_BEN);
  const longer = { ...BEN, id: `${ANNA.short}${"0".repeat(56)}` };
  assert.equal(
    findMember([longer, ANNA], `${ANNA.short} hi`).member,
    ANNA,
    "a whole id before the beginning of another",
  );
});

test("whoever bears the name of another writes to the other, and to nobody by guessing", () => {
  const self = member("e", "Anna", { self: true });
  const writing = (members, line) => {
    const done = [];
    const act =
      (name) =>
      (...args) =>
        done.push([name, args[0]]);
    const state = { members: new Map(members.map((one) => [one.id, one])) };
    run({ state, router: { go: act("go") }, say: act("say"), hint: act("hint") }, line);
    return done;
  };
  assert.deepEqual(writing([self, ANNA], "/msg Anna hi"), [
    ["go", `d:${ANNA.id}`],
    ["say", "hi"],
  ]);
  for (const [members, line] of [
    [[self], "/msg Anna hi"],
    [[self, BEN, OTHER_BEN], "/msg Ben hi"],
    [[self, BEN], "/msg Zoe hi"],
  ]) {
    assert.deepEqual(
      writing(members, line).map(([name]) => name),
      ["hint"],
      line,
    );
  }
});

test("completion offers channels and members, and an id where the name says nothing", () => {
  const places = {
    channels: ["general", "lunch", "launch"],
    members: [ANNA, ANNA_B, BEN, OTHER_BEN, member("e", "Ana", { self: true })],
  };
  const texts = (line) => complete(line, line.length, places).map((option) => option.text);
  assert.deepEqual(texts("/join l"), ["/join lunch", "/join launch"]);
  assert.deepEqual(texts("/join #lu"), ["/join lunch"]);
  assert.deepEqual(texts("/join lunch"), []);
  assert.deepEqual(texts("/msg an"), ["/msg Anna ", "/msg Anna Bell "]);
  assert.deepEqual(texts("/msg b"), ["/msg ccxyz234 ", "/msg ddxyz234 "]);
  assert.deepEqual(texts("/msg Anna hello"), []);
  assert.deepEqual(["# lunch", " a \n b "].map(channelName), ["lunch", "a b"]);
});

test("a message is full at the node's limit of bytes, and says so early", () => {
  for (const [text, over, noted] of [
    ["a", false, false],
    ["a".repeat(26_000), false, false],
    ["a".repeat(27_000), false, true],
    ["a".repeat(32_768), false, true],
    ["a".repeat(32_769), true, true],
    ["ä".repeat(16_384), false, true],
    ["ä".repeat(16_385), true, true],
  ]) {
    const result = fullness(text, 32_768);
    assert.deepEqual([result.over, result.note !== null], [over, noted], `${text.length} of ${text[0]}`);
  }
  assert.equal(fullness("abc", 2).over, true);
  assert.deepEqual(fullness("a".repeat(40_000), null), { over: false, note: null });
});

test("Enter sends, except while a word is being composed", () => {
  const key = (fields) => ({
    key: "Enter",
    shiftKey: false,
    altKey: false,
    isComposing: false,
    keyCode: 13,
    ...fields,
  });
  assert.equal(isSendKey(key({})), true);
  assert.equal(isSendKey(key({ ctrlKey: true })), true);
  assert.equal(isSendKey(key({}), false), false, "the user wants a new line");
  assert.equal(isSendKey(key({ ctrlKey: true }), false), true);
  assert.equal(isSendKey(key({ ctrlKey: true, isComposing: true }), false), false);
  for (const fields of [{ shiftKey: true }, { isComposing: true }, { keyCode: 229 }, { key: "a" }]) {
    assert.equal(isSendKey(key(fields)), false, JSON.stringify(fields));
  }
});

test("/history says how far the history is complete, or how much is missing and of whom", () => {
  const now = Date.parse("2026-11-25T12:00:00Z");
  const members = [ANNA, BEN];
  const lacking = (...pairs) => pairs.map(([id, entries]) => ({ id, entries }));
  for (const [history, expected] of [
    [{ missing: 0, oldest: null, lacking: [] }, /^There are no messages yet\.$/],
    [{ missing: 0, oldest: "2026-11-03T12:00:00Z", lacking: [] }, /^History is complete back to 3 Nov\.$/],
    [
      { missing: 1, oldest: "2026-11-03T12:00:00Z", lacking: lacking([ANNA.id, 1]) },
      /back to 3 Nov\. 1 message from Anna is missing; it will arrive/,
    ],
    [
      { missing: 1_500, oldest: "2026-11-03T12:00:00Z", lacking: lacking([BEN.id, 1_200], [ANNA.id, 300]) },
      /1,500 messages from Ben and Anna are missing; they will arrive/,
    ],
    [
      { missing: 9, oldest: "2026-11-03T12:00:00Z", lacking: lacking([BEN.id, 5], ["0".repeat(64), 2]) },
      /9 messages from Ben, aaaaaaaa, and others are missing/,
    ],
  ]) {
    assert.match(wholeness(history, members, now), expected, JSON.stringify(history));
  }
});
