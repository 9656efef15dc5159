// What this page knows, and how each frame from the node changes it. Pure: no DOM, no clock, no
// storage; `now` is handed in. A message is never changed in place, so that a view can tell by
// identity what it has to draw again.

export const GENERAL = "c:general";
const NOTICES_MAX = 1000;
const OPENED_MAX = 10; // conversations of which much is kept
const LISTED_MAX = 300; // conversations: more than anybody looks through
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
    opened: [], // the keys of those that were opened last, the newest first
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

/** The conversation that a frame names by `channel` or by `with`. */
const keyOfPlace = (place) => (place.with ? directKey(place.with) : channelKey(place.channel));

/** The conversation `key` as frames and addresses name it. */
export const placeOfKey = (key) => (key.startsWith("d:") ? { with: key.slice(2) } : { channel: key.slice(2) });

/** `{ key, id }`: the conversation that an address names by its fragment, and a message in it or null. */
export function placeOfAddress(fragment) {
  const [, kind, name, id = null] = /^#\/(channel|with)\/([^/]+)(?:\/([0-9a-f]+))?$/.exec(fragment) ?? [];
  if (kind === "with") return { key: directKey(name), id };
  try {
    if (kind === "channel") return { key: channelKey(decodeURIComponent(name)), id };
  } catch {
    // An address that nobody made by clicking.
  }
  return { key: GENERAL, id: null };
}

/** The address of a conversation, or of a message in it: what [`placeOfAddress`] reads. */
export function addressOf(key, id = null) {
  const place = key.startsWith("c:") ? `#/channel/${encodeURIComponent(key.slice(2))}` : `#/with/${key.slice(2)}`;
  return id === null ? place : `${place}/${id}`;
}

/** Where something said in the conversation `key` goes: the fields of a `say`. */
export function targetOf(key) {
  return key.startsWith("d:") ? { to: key.slice(2) } : { channel: key.slice(2) };
}

export function conversation(state, key) {
  let found = state.conversations.get(key);
  if (!found) {
    // Everything from `floor` on is loaded; null: everything there is, as in one that begins now.
    // `past`, if there is one, is a part of long ago that is shown instead: `{ messages, floor, ceiling }`.
    // `seen` are those read beyond `read`, `late` those that arrived for a place that was read already.
    // `line` is the id of the first that was not read when it was opened, null for none; undefined until that is loaded.
    found = {
      key, messages: [], floor: null, past: null, unread: 0, read: 0, newest: 0, line: null, seen: new Set(), late: [],
      exists: key === GENERAL,
    };
    state.conversations.set(key, found);
  }
  return found;
}

/**
 * The keys of the conversations that are listed. Anybody can begin any number of channels, so of very many those stay that this
 * reader has to do with (`isOurs(key)`, direct ones, those read before) and those that began last.
 */
export function listed(state, isOurs) {
  const all = [...state.conversations.values()].filter(({ key, exists }) => exists || isOurs(key));
  const matters = ({ key, read }) => key === GENERAL || read > 0 || key.startsWith("d:") || isOurs(key);
  const ours = all.filter(matters);
  const others = all.filter((known) => !matters(known));
  const room = Math.max(0, LISTED_MAX - ours.length);
  return [...ours, ...(room > 0 ? others.slice(-room) : [])].map(({ key }) => key);
}

/** The part of a conversation that is shown. */
export const rangeOf = (known) => known.past ?? known;

/** What a conversation is called: "# general", or the other member's name. */
export function placeName(state, key) {
  const id = key.slice(2);
  if (key.startsWith("c:")) return `# ${id}`;
  const { name = "", short = id.slice(0, 8) } = state.members.get(id) ?? {};
  return isShared(state, name) ? `${name} ${short}` : name || short;
}

// --- names ---

/** Letters of Cyrillic and Greek, and two digits, each before the Latin one that it looks like, as the node has them (src/proto/lookalikes.rs). */
const PAIRS = "АAВBЕEКKМMНHОOРPСCТTУYХXІIЈJЅSаaеeоoрpсcуyхxіiјjѕsһhԁdԛqԝwӏlкkΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXοoαaνvιiρpκkıiɑaɡg0o1l";

const letters = [...PAIRS];
const latin = new Map(letters.flatMap((letter, i) => (i % 2 === 0 ? [[letter, letters[i + 1]]] : [])));

/** What a name looks like: equal for two names that a reader would take for one. */
function looks(name) {
  const plain = [...name.normalize("NFKC").replace(/[\u200c\u200d\ufe00-\ufe0f]/g, "")];
  const read = plain.map((letter) => latin.get(letter) ?? letter).join("");
  // In the middle of a word nobody writes a capital I, and nobody sees that it is none of the small letters.
  return read.replace(/(?<=\p{Ll})I/gu, "l").toUpperCase().toLowerCase();
}

/** Two names that look alike to a person are one here: case, width and other scripts do not tell people apart. */
export function fold(name) {
  let folded = folds.get(name);
  if (folded === undefined) {
    if (folds.size >= FOLDS_MAX) folds.clear();
    folds.set(name, (folded = looks(name)));
  }
  return folded;
}

const FOLDS_MAX = 1000;
const folds = new Map(); // every row of every drawing asks for its author's

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

/** The others who bear this name, or one that looks like it, as the members they are now: whom a newcomer may be taken for. */
export function namesakes(state, id, name) {
  const ids = state.names.get(fold(name)) ?? [];
  return [...ids].filter((other) => other !== id).map((other) => state.members.get(other)).filter(Boolean);
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
    const known = conversation(state, keyOfPlace(entry));
    known.exists = true;
    if (resumed) continue;
    known.unread = entry.unread ?? 0;
    known.read = entry.read ?? 0;
  }
  for (const notice of frame.notices) addNotice(state, notice);
  for (const message of frame.messages) {
    if (resumed) hear(state, message, { now, attended });
    else put(state, message, now);
  }
  if (!resumed) {
    // The newest messages of all conversations came together: each is whole from the oldest of them on.
    const floor = frame.before === null ? null : frame.messages[0]?.order ?? null;
    for (const known of state.conversations.values()) known.floor = floor;
  }
  state.arrival = resumed ? Math.max(state.arrival, frame.arrival) : frame.arrival;
  return {};
}

function forgetMessages(state) {
  state.messages.clear();
  state.notices = [];
  for (const known of state.conversations.values()) {
    Object.assign(known, { messages: [], floor: null, past: null, line: null, unread: 0, seen: new Set(), late: [] });
  }
}

/** A message that the node told us of just now: it may be news, a receipt, or something said long ago. */
function hear(state, message, { now, attended }) {
  state.arrival = Math.max(state.arrival, message.arrival ?? 0);
  const known = state.messages.has(message.id);
  const key = keyOf(message, state.me);
  put(state, message, now, true);
  if (!known && message.author !== state.me) countUnread(conversation(state, key), message, attended(key));
  return { said: state.messages.get(message.id) ?? message, live: !known };
}

function countUnread(known, message, isAttended) {
  const isLate = known.messages.at(-1)?.id !== message.id;
  if (isLate) known.late = [...known.late, message.id];
  // The line stays where reading stopped; only after everything was read does it move on.
  else if (known.unread === 0 && !isAttended) known.line = message.id;
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

function wasRead(state, frame) {
  const { read } = frame;
  const known = conversation(state, keyOfPlace(frame));
  if (read < known.read) return;
  known.read = read;
  known.unread = unseenOf(state, known).length;
  known.late = known.unread === 0 ? [] : known.late;
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
function put(state, message, now, isLive = false) {
  bears(state, message.author, message.name);
  const known = conversation(state, keyOf(message, state.me));
  const before = state.messages.get(message.id);
  const entry = { ...message, ...timesOf(state, message, { before, now, isLive }) };
  if (before && (before.held_by ?? 0) > (message.held_by ?? 0)) {
    entry.held_by = before.held_by;
    entry.of = before.of;
  }
  if (before && before.order === entry.order) return replace(state, entry);

  known.exists = true;
  known.newest = Math.max(known.newest, message.arrival);
  if (before) forget(known, message.id);
  state.messages.delete(message.id);
  for (const range of rangesOf(known)) {
    if (!covers(range, entry.order)) continue;
    range.messages = range.messages.toSpliced(placeOf(range.messages, entry.order), 0, entry);
    state.messages.set(entry.id, entry);
  }
}

const rangesOf = (known) => (known.past === null ? [known] : [known, known.past]);

function covers({ floor, ceiling = null }, order) {
  return (floor === null || order >= floor) && (ceiling === null || order <= ceiling);
}

function forget(known, id) {
  for (const range of rangesOf(known)) range.messages = range.messages.filter((m) => m.id !== id);
}

/** Remembers what a page brings, and answers its messages as they are known here. */
export function load(state, page, now) {
  for (const notice of page.notices ?? []) addNotice(state, notice);
  return page.messages.map((message) => {
    if (state.messages.has(message.id)) return state.messages.get(message.id);
    bears(state, message.author, message.name);
    const entry = { ...message, ...timesOf(state, message, { now }) };
    state.messages.set(entry.id, entry);
    return entry;
  });
}

/** When to say it was said. A clock that runs ahead of ours would claim the future: then, when it arrived. */
function timesOf(state, message, { before, now, isLive = false }) {
  if (before?.skewed) return { at: before.at, skewed: true };
  const at = Date.parse(message.time);
  if (at <= now + CLOCK_SLACK_MS) return { at, skewed: false };
  return { at: isLive ? now : heardBefore(state, message.arrival) ?? now, skewed: true };
}

/** About when something arrived that came while nobody looked: not before what has the arrival number before it. */
function heardBefore(state, arrival) {
  let last = null;
  for (const one of [...state.messages.values(), ...state.notices]) {
    if (!one.skewed && one.arrival < arrival && one.arrival > (last?.arrival ?? -1)) last = one;
  }
  return last?.at;
}

function replace(state, entry) {
  for (const range of rangesOf(conversation(state, keyOf(entry, state.me)))) {
    const index = placeOf(range.messages, entry.order);
    if (range.messages[index]?.id !== entry.id) continue;
    range.messages = range.messages.with(index, entry);
    state.messages.set(entry.id, entry);
  }
}

// --- reading ---

const ENOUGH = 50; // messages that fill a window

/** Whether what is loaded of a conversation is too little to open it: it does not reach back to where reading stopped, or fills no window. */
export function isShort(state, known) {
  const isUnreadHere = known.unread <= unseenOf(state, known).length;
  return known.floor !== null && known.past === null && !(isUnreadHere && known.messages.length >= ENOUGH);
}

/** Opens a conversation: the line goes before the first message that was not read yet. */
export function openConversation(state, key) {
  state.opened = [key, ...state.opened.filter((other) => other !== key)].slice(0, OPENED_MAX);
  const known = conversation(state, key);
  if (known.unread > 0) known.past = null;
  known.late = [];
  known.line = known.unread > 0 ? unseenOf(state, known)[0]?.id ?? null : null;
}

/** What others said here and nobody has seen, as far as it is loaded. */
export function unseenOf(state, known) {
  const isUnseen = (m) => m.arrival > known.read && m.author !== state.me && !known.seen.has(m.id);
  return known.messages.filter(isUnseen);
}

/** Everything in it has been seen. Answers the arrival number to tell the node, or null if nothing changed. */
export function markRead(state, key) {
  const known = conversation(state, key);
  const changed = known.unread > 0 || known.newest > known.read;
  known.unread = 0;
  known.late = [];
  known.seen.clear();
  known.read = Math.max(known.read, known.newest);
  return changed ? known.read : null;
}

export function clearLine(state, key) {
  conversation(state, key).line = null;
}
