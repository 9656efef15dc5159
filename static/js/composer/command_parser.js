// What a line that begins with a slash means, and whom or what its words name. Pure. Only the composer knows commands: on every other
// way into a node a slash is text. A command that does not exist is never sent, so that a slip of the
// finger does not end up on the screens of the room.

import { confusableKey } from "../model/members/confusables.js";

export const COMMANDS = [
  { name: "join", usage: "/join CHANNEL" },
  { name: "msg", usage: "/msg MEMBER [TEXT]" },
  { name: "members", usage: "/members" },
  { name: "help", usage: "/help" },
  { name: "history", usage: "/history [N]" },
  { name: "topic", usage: "/topic TEXT" },
  { name: "status", usage: "/status TEXT" },
  { name: "name", usage: "/name NAME" },
  { name: "hooray", usage: "/hooray [TEXT]" },
  { name: "exit", usage: "/exit" },
];
const ID_CHARS_MIN = 4; // fewer of an id are more likely a name
const OFFERED_MAX = 8;

/**
 * What a line means.
 *
 * @returns {{ kind: "text", text: string } | { kind: "command", name: string, rest: string } | { kind: "unknown",
 *   name: string, rest: string, nearest: string | null }}
 */
export function parse(line) {
  if (!line.startsWith("/")) return { kind: "text", text: line };
  if (line.startsWith("//")) return { kind: "text", text: line.slice(1) };
  const [, typed, rest] = /^\/(\S*)\s*([\s\S]*)$/.exec(line);
  const name = typed.toLowerCase();
  if (COMMANDS.some((command) => command.name === name)) return { kind: "command", name, rest: rest.trim() };
  return { kind: "unknown", name: typed, rest, nearest: nearest(name) };
}

/**
 * What could stand for the word before the caret: `{ text, usage, ...}`, with the text to put in its place. A whole
 * command that wants nothing more has `whole`. `places` are `{ channels, members }`.
 */
export function complete(line, caret, { channels = [], members = [] } = {}) {
  if (line.startsWith("//") || /^\S/.test(line.slice(caret))) return [];
  const [, typed, rest] = /^\/([a-z]*)(\s+[^\n]*)?$/i.exec(line.slice(0, caret)) ?? [];
  if (typed === undefined) return [];
  if (rest === undefined) return COMMANDS.filter(({ name }) => name.startsWith(typed.toLowerCase())).map(commandOption);
  const wanted = confusableKey(rest.trimStart());
  if (typed.toLowerCase() === "join") {
    const like = channels.filter(
      (name) => confusableKey(name).startsWith(wanted.replace(/^#/, "")) && confusableKey(name) !== wanted,
    );
    return like.slice(0, OFFERED_MAX).map((name) => ({ text: `/join ${name}`, usage: `# ${name}` }));
  }
  if (typed.toLowerCase() !== "msg") return [];
  const like = members.filter(
    ({ self, name, short }) =>
      !self && (confusableKey(name).startsWith(wanted) || (wanted.length >= ID_CHARS_MIN && short.startsWith(wanted))),
  );
  // Where a name says nothing, what is put in is the id.
  return like.slice(0, OFFERED_MAX).map((member) => ({
    text: `/msg ${isUnique(members, member) ? member.name : member.short} `,
    usage: member.name,
    member,
  }));
}

function commandOption({ name, usage }) {
  const whole = !usage.includes(" ");
  return { text: whole ? `/${name}` : `/${name} `, usage, name, whole };
}

function isUnique(members, { id, name }) {
  return !members.some((other) => other.id !== id && confusableKey(other.name) === confusableKey(name));
}

/**
 * The member that the first words of `rest` name: `{ member, text }`, or `{ several, text }` if more than one, or `{}`;
 * `text` is what follows them. Asked in this order, as `roomful send` does: a whole short or full id, at least 4
 * characters of one, a whole name. Unlike there a name also means those that look like it: then the user chooses.
 */
export function findMember(members, rest) {
  const [word] = rest.split(/\s/, 1);
  const begin = word.toLowerCase();
  const whole = members.filter(({ id, short }) => id === begin || short === begin);
  if (whole.length > 0) return choose(whole, rest.slice(word.length));
  const isBegun = ({ id, short }) => id.startsWith(begin) || short.startsWith(begin);
  const begun = begin.length < ID_CHARS_MIN ? [] : members.filter(isBegun);
  if (begun.length > 0) return choose(begun, rest.slice(word.length));
  let longest = { length: 0, found: [] };
  for (const member of members) {
    const length = lengthOfName(member.name, rest);
    if (length > longest.length) longest = { length, found: [member] };
    else if (length > 0 && length === longest.length) longest.found.push(member);
  }
  return choose(longest.found, rest.slice(longest.length));
}

/** How many characters of `rest` the name takes, if it stands there as a whole; else 0. */
function lengthOfName(name, rest) {
  if (name === "") return 0;
  const begin = rest.slice(0, name.length);
  return confusableKey(begin) === confusableKey(name) && /^(?:\s|$)/.test(rest.slice(name.length)) ? name.length : 0;
}

function choose(found, text) {
  if (found.length === 0) return {};
  const rest = text.trim();
  return found.length > 1 ? { several: found, text: rest } : { member: found[0], text: rest };
}

/** Returns a channel's name without the sign before it and the white space that the node takes away. */
export function channelName(typed) {
  return typed.replace(/^#\s*/, "").replace(/\s+/g, " ").trim();
}

/** The command that was most likely meant, or null if nothing comes near. */
export function nearest(name) {
  if (name === "") return null;
  let best = { name: null, far: Infinity };
  for (const command of COMMANDS) {
    const far = command.name.startsWith(name) ? 0 : distance(name, command.name);
    if (far < best.far) best = { name: command.name, far };
  }
  return best.far <= Math.max(1, Math.floor(best.name.length / 2)) ? best.name : null;
}

/** How many letters to add, drop, change or swap with the next one. */
function distance(a, b) {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    rows.push([i]);
    for (let j = 1; j <= b.length; j += 1) {
      const change = rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      rows[i][j] = Math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, change);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) rows[i][j] = Math.min(rows[i][j], rows[i - 2][j - 2] + 1);
    }
  }
  return rows[a.length][b.length];
}
