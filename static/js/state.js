// What this page knows, and how each frame from the node changes it. Pure: no DOM, no clock, no
// storage; `now` is handed in. A message is never changed in place, so that a view can tell by
// identity what it has to draw again.

export const GENERAL = "c:general";
const KEPT_MAX = 2000; // messages of one conversation; the rest lives in the node
const KEPT_AFTER_TRIM = 1000;
const NOTICES_MAX = 1000;
const CLOCK_SLACK_MS = 60_000;

export function create() {
  return {
    node: null,
    me: null, // our own member id
    run: null,
    arrival: 0,
    members: new Map(), // id -> Member
    names: new Map(), // folded name -> ids that bear it or bore it
    conversations: new Map(), // key -> conversation
    messages: new Map(), // id -> message
    refs: new Map(), // message id -> ref, of what this tab sent: one row from the first key to the last receipt
    notices: [], // in arrival order
  };
}

// --- conversations ---

export const channelKey = (name) => `c:${name}`;
export const directKey = (id) => `d:${id}`;

export function keyOf(message, me) {
  if (message.to) return directKey(message.author === me ? message.to : message.author);
  return channelKey(message.channel ?? "general");
}

/** Where something said in the conversation `key` goes: the fields of a `say`. */
export function targetOf(key) {
  return key.startsWith("d:") ? { to: key.slice(2) } : { channel: key.slice(2) };
}

export function conversation(state, key) {
  let found = state.conversations.get(key);
  if (!found) {
    // Everything from `floor` on is loaded; null: everything there is, as in one that begins now.
    found = { key, messages: [], floor: null, unread: 0, read: 0, line: null };
    state.conversations.set(key, found);
  }
  return found;
}

/** What a conversation is called: "# general", or the other member's name. */
export function placeName(state, key) {
  const id = key.slice(2);
  if (key.startsWith("c:")) return `# ${id}`;
  const { name = "", short = id.slice(0, 8) } = state.members.get(id) ?? {};
  return isShared(state, name) ? `${name} ${short}` : name || short;
}

// --- names ---

/** Two names that look alike to a person are one here: case and width do not tell people apart. */
export function fold(name) {
  return name.normalize("NFKC").toUpperCase().toLowerCase();
}

function bears(state, id, name) {
  const folded = fold(name ?? "");
  const ids = state.names.get(folded);
  if (ids) ids.add(id);
  else state.names.set(folded, new Set([id]));
}

/** Whether another key bears this name too, or did: then the name alone says nothing. */
export function isShared(state, name) {
  return (state.names.get(fold(name ?? ""))?.size ?? 0) > 1;
}

export function othersInReach(state) {
  let count = 0;
  for (const member of state.members.values()) {
    if (!member.self && inReach(member)) count += 1;
  }
  return count;
}

/** Whether somebody could take what is said here right now; a direct message goes over no third node. */
export function takerInReach(state, key) {
  if (key.startsWith("c:")) return othersInReach(state) > 0;
  const other = state.members.get(key.slice(2));
  return other !== undefined && inReach(other) && other.direct;
}

export function inReach(member) {
  return member.state === "online" || member.state === "unsure";
}

// --- frames ---

/**
 * Takes one frame. `attended(key)` says whether somebody is reading that conversation's end right now.
 * Answers `{ said, live }`: the message that was said, if one was, and whether it is news.
 */
export function apply(state, frame, { now, attended = () => false }) {
  switch (frame.type) {
    case "welcome":
      return welcome(state, frame, { now, attended });
    case "said":
      if (frame.ref) state.refs.set(frame.message.id, frame.ref);
      return hear(state, frame.message, { now, attended });
    case "message":
      return hear(state, frame.message, { now, attended });
    case "notice":
      addNotice(state, frame.notice);
      return {};
    case "member":
      setMember(state, frame.member);
      return {};
    case "held":
      held(state, frame);
      return {};
    case "read":
      wasRead(state, frame);
      return {};
    case "beat":
      state.arrival = Math.max(state.arrival, frame.arrival);
      return {};
    default:
      return {}; // newer nodes may say more
  }
}

function welcome(state, frame, { now, attended }) {
  const resumed = state.run !== null && frame.reset !== true;
  state.node = frame.node;
  state.run = frame.run;
  state.members.clear();
  for (const member of frame.members) setMember(state, member);
  state.me = frame.members.find((member) => member.self)?.id ?? frame.node.id;

  if (!resumed) forgetMessages(state);
  for (const entry of [{ channel: "general" }, ...frame.conversations]) {
    const known = conversation(state, entry.with ? directKey(entry.with) : channelKey(entry.channel));
    if (resumed) continue;
    known.unread = entry.unread ?? 0;
    known.read = entry.read ?? 0;
  }
  for (const message of frame.messages) {
    if (resumed) hear(state, message, { now, attended });
    else put(state, message, now);
  }
  if (!resumed) {
    // The newest messages of all conversations came together: each is whole from the oldest of them on.
    const floor = frame.before === null ? null : frame.messages[0]?.order ?? null;
    for (const known of state.conversations.values()) known.floor = floor;
  }
  for (const notice of frame.notices) addNotice(state, notice);
  state.arrival = resumed ? Math.max(state.arrival, frame.arrival) : frame.arrival;
  return {};
}

function forgetMessages(state) {
  state.messages.clear();
  state.notices = [];
  for (const known of state.conversations.values()) {
    Object.assign(known, { messages: [], floor: null, line: null, unread: 0 });
  }
}

/** A message that the node told us of just now: it may be news, a receipt, or something said long ago. */
function hear(state, message, { now, attended }) {
  state.arrival = Math.max(state.arrival, message.arrival ?? 0);
  const known = state.messages.has(message.id);
  const key = keyOf(message, state.me);
  put(state, message, now);
  const own = message.author === state.me;
  if (!known && !own) countUnread(state, key, message, attended(key));
  return { said: state.messages.get(message.id) ?? message, live: !known };
}

function countUnread(state, key, message, isAttended) {
  const known = conversation(state, key);
  if (isAttended) return;
  // The line stays where reading stopped; only after everything was read does it move on.
  if (known.unread === 0) known.line = message.id;
  known.unread += 1;
}

function setMember(state, member) {
  state.members.set(member.id, member);
  bears(state, member.id, member.name);
}

function addNotice(state, notice) {
  state.arrival = Math.max(state.arrival, notice.arrival);
  bears(state, notice.member, notice.name);
  const { notices } = state;
  const after = notices.findLastIndex((one) => one.arrival <= notice.arrival);
  if (notices[after]?.arrival === notice.arrival) return; // seen before
  const entry = { ...notice, at: Date.parse(notice.time) };
  state.notices = [...notices.slice(0, after + 1), entry, ...notices.slice(after + 1)].slice(-NOTICES_MAX);
}

function held(state, { id, held_by: heldBy, of }) {
  const message = state.messages.get(id);
  if (!message || (message.held_by ?? 0) > heldBy) return; // receipts never go back
  replace(state, { ...message, held_by: heldBy, of });
}

function wasRead(state, { channel, with: other, read }) {
  const known = conversation(state, other ? directKey(other) : channelKey(channel));
  if (read < known.read) return;
  known.read = read;
  known.unread = known.messages.filter((m) => m.arrival > read && m.author !== state.me).length;
}

// --- the timeline ---

/** Index of the first message whose order is not below `order`. */
function placeOf(messages, order) {
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (messages[middle].order < order) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Puts a message where its order says, unless what surrounds it there is not loaded. */
function put(state, message, now) {
  bears(state, message.author, message.name);
  const known = conversation(state, keyOf(message, state.me));
  const before = state.messages.get(message.id);
  const entry = { ...message, ...timesOf(message, before, now) };
  if (before && (before.held_by ?? 0) > (message.held_by ?? 0)) {
    entry.held_by = before.held_by;
    entry.of = before.of;
  }
  if (before && before.order === entry.order) return replace(state, entry);

  const messages = before ? known.messages.filter((m) => m.id !== message.id) : [...known.messages];
  if (known.floor !== null && entry.order < known.floor) {
    state.messages.delete(message.id);
  } else {
    messages.splice(placeOf(messages, entry.order), 0, entry);
    state.messages.set(entry.id, entry);
  }
  known.messages = messages;
}

/** When to say it was said. A clock that runs ahead of ours would claim the future: then, when we saw it. */
function timesOf(message, before, now) {
  if (before?.skewed) return { at: before.at, skewed: true };
  const at = Date.parse(message.time);
  return at > now + CLOCK_SLACK_MS ? { at: now, skewed: true } : { at, skewed: false };
}

function replace(state, entry) {
  const known = conversation(state, keyOf(entry, state.me));
  const index = placeOf(known.messages, entry.order);
  if (known.messages[index]?.id !== entry.id) return;
  known.messages = known.messages.with(index, entry);
  state.messages.set(entry.id, entry);
}

/** Takes a page of older messages, as GET /api/v1/messages gave it for this conversation. */
export function takeOlder(state, key, page, now) {
  const known = conversation(state, key);
  const oldest = page.messages[0];
  known.floor = page.before === null || !oldest ? null : oldest.order;
  for (const notice of page.notices ?? []) addNotice(state, notice);
  const fresh = page.messages.filter((m) => !state.messages.has(m.id));
  const entries = fresh.map((m) => ({ ...m, ...timesOf(m, undefined, now) }));
  for (const entry of entries) {
    bears(state, entry.author, entry.name);
    state.messages.set(entry.id, entry);
  }
  known.messages = [...entries, ...known.messages].sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0));
  return entries.length;
}

/** Lets go of the oldest, once there is more than anybody looks at. Only while the end is being read. */
export function trim(state, key) {
  const known = conversation(state, key);
  if (known.messages.length <= KEPT_MAX) return;
  for (const message of known.messages.slice(0, -KEPT_AFTER_TRIM)) state.messages.delete(message.id);
  known.messages = known.messages.slice(-KEPT_AFTER_TRIM);
  known.floor = known.messages[0].order;
}

// --- reading ---

/** Opens a conversation: the line goes before the first message that was not read yet. */
export function openConversation(state, key) {
  const known = conversation(state, key);
  const first = known.messages.find((m) => m.arrival > known.read && m.author !== state.me);
  known.line = known.unread > 0 && first ? first.id : null;
}

/** Everything in it has been seen. Answers the arrival number to tell the node, or null if nothing changed. */
export function markRead(state, key) {
  const known = conversation(state, key);
  const newest = known.messages.reduce((max, m) => Math.max(max, m.arrival), 0);
  const changed = known.unread > 0 || newest > known.read;
  known.unread = 0;
  known.read = Math.max(known.read, newest);
  return changed ? known.read : null;
}

export function clearLine(state, key) {
  conversation(state, key).line = null;
}

export function unreadTotal(state) {
  let total = 0;
  for (const known of state.conversations.values()) total += known.unread;
  return total;
}
