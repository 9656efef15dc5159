// From what is known to what stands in the timeline: one flat list of rows, each with a key that
// stays the same as long as it is the same thing to the reader. Pure; the view draws what it is given.

import { GENERAL, fold, isShared, namesakes } from "./state.js";

const GROUP_MS = 5 * 60_000;
const SENDING_SHOWN_AFTER_MS = 400; // a node answers faster than this; a flicker would only worry
const FOLDS = new Set(["joined", "back", "left", "lost"]);

/** The local day of a time, as a number that grows by about one a day. */
export function dayOf(at) {
  const date = new Date(at);
  return Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / 86_400_000;
}

/**
 * How far one of our own messages has got: `saved` (here, and nobody in reach to take it; `savedDirect` for one
 * person), `node` (here), `some` and `all` (held by k of n).
 */
export function delivery(message, takerInReach) {
  const n = message.of ?? 0;
  const k = Math.min(message.held_by ?? 0, n);
  if (n > 0 && k === n) return { code: "all", k, n };
  if (k > 0) return { code: "some", k, n };
  const saved = message.to ? "savedDirect" : "saved";
  return { code: takerInReach ? "node" : saved, k, n };
}

/** How far something in the outbox has got: `sending` is not worth a word at first. */
export function waiting(item, isOpen, now) {
  if (item.status === "failed") return { code: "failed", error: item.error };
  if (!isOpen) return { code: "waiting" };
  return { code: now - item.at >= SENDING_SHOWN_AFTER_MS ? "sending" : "quiet" };
}

/**
 * The rows of one conversation. `notices` are those that belong into it, `pending` what waits in the outbox,
 * `hints` the lines that only this user sees.
 */
export function buildRows({ state, known, notices, pending, hints, isOpen, takerInReach, unfolded, now }) {
  const rows = [];
  const isWhole = known.floor === null;
  if (isWhole && known.messages.length > 0) rows.push({ type: "begin", key: "begin" });
  // Where nobody else is there are better things to say.
  else if (isWhole && pending.length === 0 && (takerInReach || known.key !== GENERAL)) rows.push({ type: "begin", key: "empty" });
  const context = { state, rows, unfolded, day: null, previous: null, today: dayOf(now) };

  const entries = merge(known, notices, hints, pending);
  // The state stands in words under the last thing said; under earlier ones only when asked for.
  const onTheWay = pending.some((item) => item.status !== "failed");
  const lastOwn = onTheWay ? null : known.messages.findLast((m) => m.author === state.me)?.id;
  for (const { message, notice, hint, item } of entries) {
    if (message) {
      if (message.id === known.line) addLine(context, message);
      addMessage(context, message, message.author === state.me
        ? { ...delivery(message, takerInReach), shown: message.id === lastOwn }
        : null);
    } else if (notice) {
      addNotice(context, notice);
    } else if (hint) {
      context.previous = null;
      rows.push({ type: "hint", key: `h:${hint.id}`, hint });
    } else {
      addPending(context, item, { ...waiting(item, isOpen, now), shown: true });
    }
  }
  return foldNotices(rows, unfolded);
}

/**
 * Messages keep the order of the room; notices and hints, which have only a time, find their place among them. A hint
 * with `before` stands right before that message.
 */
function merge(known, notices, hints, pending) {
  const oldest = known.floor === null ? -Infinity : known.messages[0]?.at ?? Infinity;
  const newest = known.ceiling === undefined ? Infinity : known.messages.at(-1)?.at ?? -Infinity;
  const ours = [...notices.map((notice) => ({ at: notice.at, notice })), ...hints.filter((hint) => !hint.before).map((hint) => ({ at: hint.at, hint }))]
    .filter((entry) => (entry.at >= oldest && entry.at <= newest) || entry.hint)
    .sort((a, b) => a.at - b.at);
  const entries = [];
  let reached = -Infinity; // one slow clock among the authors must not pull a notice up
  let next = 0;
  for (const message of known.messages) {
    reached = Math.max(reached, message.at);
    while (next < ours.length && ours[next].at < reached) entries.push(ours[next++]);
    for (const hint of hints) if (hint.before === message.id) entries.push({ hint });
    entries.push({ message });
  }
  // What is not in the room yet has no place in its order: it stands at the end, as written.
  const last = [...ours.slice(next), ...pending.map((item) => ({ at: item.at, item }))];
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

/** The day stands above the line: it goes further up when older messages of that day come. */
function addLine(context, { id, at }) {
  addDay(context, at);
  context.previous = null;
  context.rows.push({ type: "new", key: `u:${id}` });
}

function addMessage(context, message, state) {
  addDay(context, message.at);
  const { previous } = context;
  const ref = context.state.refs.get(message.id);
  const grouped = previous !== null && previous.author === message.author && previous.kind === message.kind
    && Math.abs(message.at - previous.at) <= GROUP_MS && previous.name === message.name;
  const key = ref ? `r:${ref}` : `m:${message.id}`;
  context.rows.push({
    type: "message", key, head: !grouped, open: context.unfolded.has(key),
    author: message.author, name: message.name, shared: isShared(context.state, message.name),
    kind: message.kind, at: message.at, skewed: message.skewed, own: state !== null,
    id: message.id, arrival: message.arrival, spans: message.spans, text: message.text, code: null, ...state,
  });
  context.previous = message;
}

/** A row for what is on its way looks just like the message it becomes, so the answer changes one small mark. */
function addPending(context, item, state) {
  const me = context.state.me;
  const name = context.state.members.get(me)?.name ?? "";
  addMessage(context, {
    id: `pending:${item.ref}`, author: me, name, kind: item.kind, at: item.at, skewed: false,
    arrival: Infinity, spans: null, text: item.text,
  }, state);
  const row = context.rows.at(-1);
  row.key = `r:${item.ref}`;
  row.open = context.unfolded.has(row.key);
  row.ref = item.ref;
}

function addNotice(context, notice) {
  addDay(context, notice.at);
  context.previous = null;
  const known = notice.kind === "conflict" ? namesakes(context.state, notice.member, notice.name) : [];
  context.rows.push({
    type: "notice", key: `n:${notice.arrival}`, notice, was: formerName(context.state, notice),
    shared: isShared(context.state, notice.name),
    // As one text, so that rows can be compared; who is called otherwise since then is told under the name that was theirs.
    known: known.map(({ id, name }) => `${id} ${fold(name) === fold(notice.name) ? name : notice.name}`).join("\n"), alarm: known.some((member) => member.verified),
  });
}

/** A new name says little without the old one; the notice holds only the new, so we look back for it. */
function formerName(state, notice) {
  if (notice.kind !== "renamed") return null;
  const earlier = state.notices.findLast((n) => n.member === notice.member && n.arrival < notice.arrival);
  if (earlier) return earlier.name === notice.name ? null : earlier.name;
  for (const known of state.conversations.values()) {
    const said = known.messages.findLast((m) => m.author === notice.member && m.arrival < notice.arrival);
    if (said && said.name !== notice.name) return said.name;
  }
  return null;
}

// --- folding ---

/** Runs of comings and goings become one row; anything else between them, also the line of the unread, ends a run. */
function foldNotices(rows, unfolded) {
  const folded = [];
  for (let i = 0; i < rows.length; ) {
    let end = i;
    while (end < rows.length && rows[end].type === "notice" && FOLDS.has(rows[end].notice.kind)) end += 1;
    if (end - i < 2) {
      folded.push(rows[i]);
      i += 1;
      continue;
    }
    const run = rows.slice(i, end);
    // The key is that of the first notice: the row stays the same one while the run grows.
    folded.push({
      type: "fold", key: run[0].key, open: unfolded.has(run[0].key), last: run.at(-1).notice.arrival,
      shared: run.filter((row) => row.shared).length, run, groups: summarise(run),
    });
    i = end;
  }
  return folded;
}

/** What a run comes to, for each member: who left and came back is one thing, not two. */
export function summarise(run) {
  const members = new Map();
  for (const row of run) {
    const { member, kind } = row.notice;
    const came = kind === "joined" || kind === "back";
    const seen = members.get(member);
    if (seen) Object.assign(seen, { row, last: kind, flapped: true, cameLast: came });
    else members.set(member, { row, last: kind, flapped: false, cameFirst: came, cameLast: came });
  }
  const groups = { returned: [], visited: [], joined: [], back: [], left: [], lost: [] };
  for (const { row, last, flapped, cameFirst, cameLast } of members.values()) {
    if (flapped && !cameFirst && cameLast) groups.returned.push(row);
    else if (flapped && cameFirst && !cameLast) groups.visited.push(row);
    else groups[last].push(row);
  }
  return Object.entries(groups).filter(([, found]) => found.length > 0);
}

// --- comparing ---

/** Whether a row would be drawn the same. What was heard is never changed in place, so identity is enough. */
export function sameRow(a, b) {
  if (a.type !== b.type) return false;
  if (a.type === "fold") return a.open === b.open && a.last === b.last && a.shared === b.shared;
  for (const field in b) {
    if (a[field] !== b[field]) return false;
  }
  return true;
}
