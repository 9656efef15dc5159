// From the state to what stands in the timeline: one flat list of rows, each with a key that stays the same as long as
// it is the same thing to the reader. Pure; the views draw what they are given.

import { dayOf } from "../lib/days.js";
import { isBlocked, withHidden } from "../model/members/blocked.js";
import { confusableKey } from "../model/members/confusables.js";
import { conversation, defaultChannel, rangeOf } from "../model/conversations.js";
import { hintsIn } from "../model/hints.js";
import { hasReachableRecipient, ownMember } from "../model/members/members.js";
import { isShared, namesakes } from "../model/members/name_index.js";
import { noticesIn } from "../model/notices.js";
import { operationKinds } from "../model/operations.js";
import { isOpen } from "../model/session.js";
import { foldNotices } from "./fold_notices.js";

const GROUP_MS = 5 * 60_000;
const SENDING_SHOWN_AFTER_MS = 400; // a node answers faster than this; a flicker would only worry

/** @typedef {import("../types.d.ts").MessageRow} MessageRow */

/**
 * How far one of the user's own messages has got: `saved` (here, and no recipient in reach; `savedDirect` for one
 * member), `node` (here), `some` and `all` (held by k of n).
 */
export function delivery(message, isReachable) {
  const n = message.of ?? 0;
  const k = Math.min(message.held_by ?? 0, n);
  if (n > 0 && k === n) return { code: "all", k, n };
  if (k > 0) return { code: "some", k, n };
  const saved = message.to ? "savedDirect" : "saved";
  return { code: isReachable ? "node" : saved, k, n };
}

/** Further fields of a message's row, by name; views compare them by identity. @type {Record<string, (message: any, state: any) => unknown>} */
export const rowFields = {};

/** How far an operation has got: `sending` is not worth a word at first. */
export function waiting(operation, isOpen, now) {
  if (operation.status === "failed") return { code: "failed", error: operation.error };
  if (!isOpen) return { code: "waiting" };
  return { code: now - operation.at >= SENDING_SHOWN_AFTER_MS ? "sending" : "quiet" };
}

/** The rows of one conversation, as it stands at `now`. */
export function buildRows(state, id, now) {
  const place = conversation(state, id);
  const range = rangeOf(place);
  const { appended, changes } = operationsIn(state, id);
  const pending = place.detached === null ? appended : [];
  const isReachable = hasReachableRecipient(state, id);
  const rows = [];
  const isWhole = range.floor === null;
  if (isWhole && range.messages.length > 0) rows.push({ type: "begin", key: "begin" });
  // In a room without others there are better things to say.
  else if (isWhole && pending.length === 0 && (isReachable || id !== defaultChannel(state)))
    rows.push({ type: "begin", key: "empty" });
  // The status stands in words under the last own message; under earlier ones only when asked for.
  const isOnItsWay = pending.some(({ status }) => status !== "failed");
  const lastOwn = isOnItsWay ? null : range.messages.findLast((m) => m.author === state.session.me)?.id;
  const context = { state, rows, now, isReachable, lastOwn, day: null, previous: null, today: dayOf(now) };

  for (const { message, notice, hint, operation } of merge(state, id, range, pending)) {
    if (message) {
      if (message.id === place.marker) addMarker(context, message);
      if (isBlocked(state, message.author)) addHidden(context, message);
      else addMessage(context, message, changes.get(message.id) ?? []);
    } else if (notice) {
      addNotice(context, notice);
    } else if (hint) {
      context.previous = null;
      rows.push({ type: "hint", key: `h:${hint.id}`, hint });
    } else {
      addPending(context, operation);
    }
  }
  return foldNotices(rows, state.ui.unfolded);
}

/** The unconfirmed operations of a conversation: those that add a message, and those that change one, by its id. */
function operationsIn(state, id) {
  const appended = [];
  const changes = new Map();
  for (const operation of state.operations.values()) {
    const { kind, conversation, target } = operation;
    if (conversation !== id || !operationKinds[kind]) continue;
    if (operationKinds[kind].overlay === "append") appended.push(operation);
    else changes.set(target, [...(changes.get(target) ?? []), operation]);
  }
  return { appended, changes };
}

/**
 * Messages keep the order of the room; notices and hints, which have only a time, find their place among them. A hint
 * with `before` stands right before that message.
 */
function merge(state, id, range, pending) {
  const all = withHidden(state, id, range);
  const messages = state.unclaimed.size === 0 ? all : all.filter((message) => !state.unclaimed.has(message.id));
  const hints = hintsIn(state, id);
  const oldest = range.floor === null ? -Infinity : (messages[0]?.at ?? Infinity);
  const newest = range.ceiling === undefined ? Infinity : (messages.at(-1)?.at ?? -Infinity);
  const notices = noticesIn(state, id).filter(({ at }) => at >= oldest && at <= newest);
  const timed = [
    ...notices.map((notice) => ({ at: notice.at, notice })),
    ...hints.filter((hint) => !hint.before).map((hint) => ({ at: hint.at, hint })),
  ].sort((a, b) => a.at - b.at);
  const entries = [];
  let reached = -Infinity; // one slow clock among the authors must not pull a notice up
  let next = 0;
  for (const message of messages) {
    reached = Math.max(reached, message.at);
    while (next < timed.length && timed[next].at < reached) entries.push(timed[next++]);
    for (const hint of hints) if (hint.before === message.id) entries.push({ hint });
    entries.push({ message });
  }
  // What is not in the room yet has no place in its order: it stands at the end, as written.
  const last = [...timed.slice(next), ...pending.map((operation) => ({ at: operation.at, operation }))];
  return entries.concat(last.sort((a, b) => a.at - b.at));
}

function addDay(context, at) {
  // Days only go forward: a clock that is behind must not bring yesterday back between two rows of today.
  const day = Math.max(dayOf(at), context.day ?? -Infinity);
  if (day === context.day) return;
  context.day = day;
  context.previous = null;
  context.rows.push({ type: "day", key: `d:${day}`, at, today: context.today });
}

/** The day stands above the marker: it goes further up when older messages of that day come. */
function addMarker(context, { id, at }) {
  addDay(context, at);
  context.previous = null;
  context.rows.push({ type: "new", key: `u:${id}` });
}

function addMessage(context, told, operations) {
  const { state, now, isReachable, lastOwn } = context;
  const message = overlay(told, operations, state.session.me);
  const ref = state.refs.get(message.id);
  const isOwn = message.author === state.session.me;
  // What is being changed says how that goes; else an own message how far it has got.
  const change = operations.findLast(({ status }) => status !== "done");
  const changing = change && { ...waiting(change, isOpen(state), now), isStatusShown: true };
  const own = isOwn && { ...delivery(message, isReachable), isStatusShown: message.id === lastOwn };
  pushMessage(context, message, ref ? `r:${ref}` : `m:${message.id}`, {
    isOwn,
    isPending: false,
    ref: change?.ref ?? null,
    ...(changing?.code === "quiet" ? own : changing || own),
  });
}

/** Messages of blocked members, one after the other, are one row that counts them. */
function addHidden(context, { id, at }) {
  addDay(context, at);
  context.previous = null;
  const last = context.rows.at(-1);
  if (last?.type === "hidden") last.n += 1;
  else context.rows.push({ type: "hidden", key: `b:${id}`, n: 1 });
}

/** A row for what is on its way looks just like the message it becomes, so the answer changes one small mark. */
function addPending(context, operation) {
  const { state, now } = context;
  pushMessage(context, messageOf(operation, state), `r:${operation.ref}`, {
    isOwn: true,
    isPending: true,
    ref: operation.ref,
    ...waiting(operation, isOpen(state), now),
    isStatusShown: true,
  });
}

function pushMessage(context, message, key, flags) {
  addDay(context, message.at);
  const { state, previous, rows } = context;
  const isGrouped =
    previous !== null &&
    previous.author === message.author &&
    previous.kind === message.kind &&
    Math.abs(message.at - previous.at) <= GROUP_MS &&
    previous.name === message.name;
  const further = Object.entries(rowFields).map(([name, of]) => [name, of(message, state)]);
  rows.push({
    ...Object.fromEntries(further),
    type: "message",
    key,
    message,
    isHead: !isGrouped,
    isOpen: state.ui.unfolded.has(key),
    isShared: isShared(state, message.name),
    code: null,
    isStatusShown: false,
    ...flags,
  });
  context.previous = message;
}

const pendingMessages = new WeakMap(); // operation -> message, so that equal rows have the same one
const changedMessages = new WeakMap(); // message -> { operations, changed }

/** The message that an operation will make. */
function messageOf(operation, state) {
  let message = pendingMessages.get(operation);
  if (!message) {
    const { kind, at, text, fields } = operation;
    message = {
      ...fields,
      id: null,
      author: state.session.me,
      name: ownMember(state)?.name ?? "",
      kind,
      at,
      skewed: false,
      arrival: Infinity,
      spans: null,
      text,
    };
    pendingMessages.set(operation, message);
  }
  return message;
}

/** The message as it will be once its unconfirmed operations are confirmed. */
function overlay(message, operations, me) {
  if (operations.length === 0) return message;
  const before = changedMessages.get(message);
  const isSame =
    before?.operations.length === operations.length &&
    before.operations.every((operation, i) => operation === operations[i]);
  if (isSame) return before.changed;
  const applied = operations.filter(({ status }) => status !== "failed");
  const changed = applied.reduce((one, operation) => operationKinds[operation.kind].apply(one, operation, me), message);
  changedMessages.set(message, { operations, changed });
  return changed;
}

function addNotice(context, notice) {
  const { state } = context;
  addDay(context, notice.at);
  context.previous = null;
  const others = notice.kind === "conflict" ? namesakes(state, notice.member, notice.name) : [];
  context.rows.push({
    type: "notice",
    key: `n:${notice.arrival}`,
    notice,
    was: formerName(state, notice),
    isShared: isShared(state, notice.name),
    // One that has another name since then is told under the name that it had.
    namesakes: others.map(({ id, name }) => ({
      id,
      name: confusableKey(name) === confusableKey(notice.name) ? name : notice.name,
    })),
    isAlarm: others.some(({ verified }) => verified),
    isOwnName: others.length === 1 && others[0].self,
  });
}

/** A new name says little without the old one; the notice holds only the new, so we look back for it. */
function formerName(state, notice) {
  if (notice.kind !== "renamed") return null;
  const earlier = state.notices.findLast((n) => n.member === notice.member && n.arrival < notice.arrival);
  if (earlier) return earlier.name === notice.name ? null : earlier.name;
  for (const { messages } of state.conversations.values()) {
    const written = messages.findLast((m) => m.author === notice.member && m.arrival < notice.arrival);
    if (written && written.name !== notice.name) return written.name;
  }
  return null;
}

/** Whether a row would be drawn the same. Messages are never changed in place, so identity is enough. */
export function sameRow(a, b) {
  if (a.type !== b.type) return false;
  if (a.type === "fold") return a.isOpen === b.isOpen && a.last === b.last && a.shared === b.shared;
  if (a.type === "notice" && !sameNamesakes(a.namesakes, b.namesakes)) return false;
  for (const field in b) {
    if (field !== "namesakes" && a[field] !== b[field]) return false;
  }
  return true;
}

function sameNamesakes(a, b) {
  return a.length === b.length && a.every(({ id, name }, i) => id === b[i].id && name === b[i].name);
}
