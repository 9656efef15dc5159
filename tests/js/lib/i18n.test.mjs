import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

process.env.TZ = "UTC";
const { agoText, dayText, gutterTimeText, sinceText, timeText, whenText } = await import(
  "../../../static/js/lib/format.js"
);
const { formOf, t } = await import("../../../static/js/lib/i18n.js");
const { isLoneEmoji } = await import("../../../static/js/lib/emoji.js");
const { lookOf } = await import("../../../static/js/lib/identicon.js");
const { shortOf } = await import("../../../static/js/lib/member_name.js");

const ROOT = new URL("../../../", import.meta.url).pathname;
const filesIn = (folder, end) =>
  readdirSync(join(ROOT, folder), { recursive: true })
    .filter((file) => file.endsWith(end))
    .map((file) => join(ROOT, folder, file));

test("every text that is asked for exists", () => {
  const asked = [];
  for (const file of filesIn("static/js", ".js")) {
    const source = readFileSync(file, "utf8");
    for (const [, key] of source.matchAll(/\b(?:t|formOf)\("([\w.-]+)"/g)) asked.push([file, key]);
    for (const [, key] of source.matchAll(/\bfill\(\w+, "([\w.-]+)"/g)) asked.push([file, key]);
  }
  for (const file of filesIn("templates", ".html")) {
    const source = readFileSync(file, "utf8");
    for (const [, key] of source.matchAll(/data-text="([^"{]+)"/g)) asked.push([file, key]);
    for (const [, name] of source.matchAll(/call finder\("(\w+)"/g)) asked.push([file, `${name}.title`]);
  }
  assert.ok(asked.length > 60, "the search itself finds them");
  for (const [file, key] of asked) assert.doesNotThrow(() => formOf(key, { n: 1 }), `${key} in ${file}`);
});

test("every text with a computed key exists", () => {
  const keys = {
    state: ["quiet", "waiting", "sending", "saved", "savedDirect", "node", "some", "all", "failed"],
    notice: ["joined", "back", "left", "lost", "renamed", "conflict", "namesake", "ownName", "imposter", "forked"],
    fold: ["joined", "back", "left", "lost", "renamed", "returned", "visited"],
    member: ["online", "unsure", "left", "lost"],
    alone: ["cause1", "cause2", "cause3", "cause4"],
    connection: ["cut", "stopping", "disk"],
    "member.closed": ["quota", "logs", "unmet"],
    command: ["join", "msg", "members", "help", "history", "name", "hooray", "exit"],
    choice: ["default", "granted", "denied", "notices", "sounds", "direct", "all", "none"],
    profile: [
      "online",
      "unsure",
      "left",
      "lost",
      "mute",
      "unmute",
      "block",
      "unblock",
      "mute.done",
      "unmute.done",
      "block.done",
      "unblock.done",
    ],
    search: ["empty", "none", "found", "newest", "failed"],
    theme: ["auto", "light", "dark", "contrast"],
    "pill.late": ["brief"],
    "pill.newest": ["brief"],
    "pill.newestNew": ["brief"],
    row: ["begin", "empty"],
    pill: ["newest", "newestNew", "late"],
    "door.title": ["no-key", "stranger", "refused"],
    "door.why": ["no-key", "stranger", "refused"],
  };
  for (const [group, names] of Object.entries(keys)) {
    for (const name of names) assert.doesNotThrow(() => formOf(`${group}.${name}`, { n: 1 }));
  }
});

test("what goes wrong is told with what to do, in two sentences, and never as a code alone", () => {
  const source = readFileSync(join(ROOT, "static/js/locales/en.js"), "utf8");
  const vague =
    /something went wrong|unknown error|an error (has )?occurred|oops|unexpected error|please try again later/i;
  for (const file of [...filesIn("static/js", ".js"), ...filesIn("templates", ".html"), ...filesIn("src", ".rs")]) {
    assert.doesNotMatch(readFileSync(file, "utf8"), vague, file);
  }
  const errors = [
    ...source.matchAll(/"([\w.]*(?:failed|Failed|refused|gone|needsNode|noMember|cut|Missing))":\s*"([^"]+)"/g),
  ];
  assert.ok(errors.length > 10, "the search itself finds them");
  for (const [, key, text] of errors) {
    assert.ok((text.match(/[.!?](?:\s|$)/g) ?? []).length <= 3, `${key}: ${text}`);
    assert.doesNotMatch(text.replace(/\{\w+\}/g, ""), /^\W*\d*\W*$/, `${key} says nothing but a code`);
  }
});

test("gaps are filled and counts take their form", () => {
  assert.equal(t("state.some", { k: 2, n: 5 }), "Received by 2 of 5");
  assert.deepEqual(
    [0, 1, 2].map((n) => t("self.reach", { n })),
    ["Nobody in reach", "1 other in reach", "2 others in reach"],
  );
  assert.equal(t("log.message", { name: "{text}", text: "{name}" }), "{text}: {name}"); // what was typed is no template
  assert.throws(() => formOf("no.such.text"));
});

test("days and times read as people say them", () => {
  const now = Date.parse("2026-11-22T14:00:00Z");
  assert.equal(dayText(now, now), "Today");
  assert.equal(dayText(now - 86_400_000, now), "Yesterday");
  assert.match(dayText(now - 3 * 86_400_000, now), /^Thursday/);
  assert.match(dayText(Date.parse("2025-02-03T00:00:00Z"), now), /2025/);
  assert.equal(sinceText(now - 3_600_000, now), timeText(now - 3_600_000));
  assert.equal(sinceText(now - 3 * 86_400_000, now), "Thu");
  assert.match(whenText(now - 86_400_000, now), /^yesterday /);
  assert.doesNotMatch(gutterTimeText(now), /[ap]\.?m/i);
  assert.match(agoText(2000), /2.*ago/);
});

test("what a member looks like comes from the key", () => {
  const look = lookOf("00007fff0003" + "0".repeat(52));
  assert.equal(look.cells.length, 25);
  assert.equal(look.hue, 3);
  assert.deepEqual(lookOf("00000000000b" + "0".repeat(52)), { hue: 11, cells: [] });
  assert.equal(shortOf("0000000000" + "f".repeat(54)), "aaaaaaaa");
  assert.equal(shortOf("f".repeat(64)), "77777777");
  assert.equal(shortOf("666f6f6261" + "0".repeat(54)), "mzxw6ytb"); // "fooba" of RFC 4648
});

test("lone emoji are few and alone", () => {
  for (const [text, expected] of [
    ["🎉", true],
    ["👍🏽 🎉", true],
    ["🎉🎉🎉", true],
    ["🎉🎉🎉🎉🎉", false],
    ["ok 🎉", false],
    ["12", false],
    ["", false],
  ]) {
    assert.equal(isLoneEmoji(text), expected, text);
  }
});
