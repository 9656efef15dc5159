// Every word the page says, in one place. A text is a whole sentence with named gaps; one that counts
// has a form for each plural of the language. Dates, numbers and lists are the browser's business.

const LANGUAGE = "en";

const catalogue = {
  copy: "Copy",
  copied: "Copied",
  close: "Close",
  cancel: "Cancel",

  "title.page": "{room} - {name}",
  "title.unread": "({n}) {room} - {name}",

  "conversations.channels": "Channels",
  "conversations.direct": "Direct",
  "conversations.draft": "Draft",
  "conversations.unread": "{n} unread",
  "room.everyone": "everyone in reach",
  "room.alone": "nobody else yet",
  "room.direct": "only the two of you",
  "room.directWaits": "only the two of you · waits for a direct link",
  "self.reach": { 0: "alone for now", one: "in reach of {n} other", other: "in reach of {n} others" },
  "self.cut": "not connected",

  "members.show": "{n} here",
  "members.count": { 0: "only you", other: "{n} in reach" },
  "members.lastKnown": "last known",
  "members.showKnown": "{n} last known",
  "members.in": "In reach",
  "members.out": "Out of reach",
  "members.self": "you",
  "member.online": "{address} · since {when}",
  "member.unsure": "unsure since {when}",
  "member.left": "left · last seen {when}",
  "member.lost": "lost · last seen {when}",
  "member.via": "{address} · via {name} since {when}",
  "member.nowhere": "no address",
  "member.ahead": "clock {span} ahead",
  "member.behind": "clock {span} behind",
  "member.forked": "signed two different histories",
  "member.closed.quota": "wrote {mib} MiB, all that is kept of one member: nothing more is taken",
  "member.closed.logs": "was started more often than is kept of one member: nothing more is taken",
  "member.closed.unmet": "never met, and enough is kept of people never met: nothing more is taken",
  "member.inReach": "in reach",
  "member.verified": "verified",
  "profile.about": "About",
  "profile.show": "About {name}",

  "composer.placeholder": "Message {place}",
  "composer.limit": "{used} of {most} KiB",
  "composer.over": "Too long by {over}. At most {most} KiB fit into one message.",
  "completion.count": { one: "{n} suggestion", other: "{n} suggestions" },

  "row.actions": "Actions for this message",
  "action.copy": "Copy text",
  "action.link": "Copy link to this message",
  "action.holders": "Who holds it",
  "copy.refused": "This browser does not let the page copy. Select the text and copy it with Ctrl+C.",
  "holders.title": "Who holds this message",
  "holders.since": "since {when}",
  "holders.before": "since before your node was started",
  "holders.notYet": "not yet",
  "holders.failed": "Your node did not answer. Nothing is lost; try again in a moment.",
  "row.retry": "Retry",
  "row.delete": "Delete",
  "row.skewed": "{time} here; the sender's clock differs",
  "row.begin": "Beginning of this conversation",
  "row.empty": "Nothing was said here yet",
  "row.new": "New",
  "row.more": "Show more",
  "row.less": "Show less",
  "state.quiet": "",
  "state.waiting": "Waiting for your node",
  "state.sending": "Sending",
  "state.saved": "Saved - goes out when someone is in reach",
  "state.savedDirect": "Waits for a direct link",
  "state.node": "On this node",
  "state.some": "Held by {k} of {n}",
  "state.all": { one: "Held by all", other: "Held by all {n}" },
  "state.failed": "Not sent: {error}",

  "pill.newest": "Jump to newest",
  "pill.newest.brief": "Newest",
  "pill.newestNew": "Jump to newest · {n} new",
  "pill.newestNew.brief": "{n} new",
  "pill.unread": "{n} unread",
  "pill.late": { one: "{n} earlier message arrived", other: "{n} earlier messages arrived" },
  "pill.late.brief": "{n} earlier",
  "jump.gone": "This message is not in this conversation.",
  "jump.failed": "That place could not be opened: {error}",
  "link.goal": "({goal})",
  "copy.line": "[{time}] {name}: {text}",
  "log.message": "{name}: {text}",
  "log.many": { one: "{n} new message", other: "{n} new messages" },

  "notice.joined": "{name} joined",
  "notice.back": "{name} is back",
  "notice.left": "{name} left",
  "notice.lost": "{name} was lost",
  "notice.renamed": "{was} is now called {name}",
  "notice.conflict": "A different {name} is here",
  "notice.namesake": "A different {name} is here; you know {others}",
  "notice.imposter": "Beware: {name} is not {others}, whom you have verified",
  "notice.title": "{name} · {place}",
  "notice.forked": "{name} signed two different histories: what came after they parted is gone, the same for everybody",
  "fold.joined": "{names} joined",
  "fold.back": { one: "{names} is back", other: "{names} are back" },
  "fold.left": "{names} left",
  "fold.lost": { one: "{names} was lost", other: "{names} were lost" },
  "fold.returned": "{names} left and came back",
  "fold.visited": "{names} came and left",
  "fold.others": { one: "{n} other", other: "{n} others" },

  "hint.onlyYou": "Only you see this",
  "hint.unknown": "There is no command /{name}. Nothing was sent.",
  "hint.nearest": "Use /{name}",
  "hint.asText": "Send as text",
  "hint.needsNode": "There is no connection to your node just now. Try /{name} again when it is back.",
  "hint.joinMissing": "Type the channel after /join, like: /join lunch",
  "hint.msgMissing": "Type a name and a text after /msg, like: /msg Anna Good morning",
  "hint.noMember": "Nobody else here is called {name}. Nothing was sent.",
  "hint.several": "More than one member has that name. Nothing was sent. Whom do you mean?",
  "hint.nameMissing": "Type the new name after /name, like: /name Anna",
  "hint.named": "You are now called {name}.",
  "hint.refused": "That did not work: {error}",
  "hint.beginning": "This is the beginning: nothing older is held here.",
  "hint.older": { one: "{n} older message above.", other: "{n} older messages above." },
  "hint.historyNumber": "/history takes a number, like: /history 100",
  "hint.historyFailed": "Your node did not answer. Nothing is lost; try again in a moment.",

  "history.none": "As far as your node knows, nothing was said yet.",
  "history.whole": "As far as your node knows, the history is complete, back to {since}.",
  "history.missing": {
    one: "The history goes back to {since}, but {n} entry of {names} is missing. It comes from whoever holds it, once they are in reach.",
    other: "The history goes back to {since}, but {n} entries of {names} are missing. They come from whoever holds them, once they are in reach.",
  },
  "history.others": "others",

  "connection.opening": "Connecting to your node",
  "connection.reach": { 0: "alone for now · saved on this machine", other: "{n} in reach · saved on this machine" },
  "connection.cut": "No connection to your node. Trying again.",
  "connection.stopping": "Your node is stopping.",
  "connection.stopped": "Your node has stopped. Start it again with {command}; this page will find it.",
  "connection.stopped.shared":
    "Your node has stopped. Start it again with {command} and open the link that it prints: this tab will not find it.",
  "connection.disk": "The disk of your node is almost full: what others say is not taken until there is room.",
  "connection.back": "Back",
  "connection.backNew": "Back - {n} new",
  "connection.tryNow": "Try now",
  "connection.updated": "Updated - Reload",
  "connection.find": "Find others",

  "alone.title": "Nobody else is here right now",
  "alone.lead":
    "This page stays open and shows people as they come. What you write now goes out when someone is in reach.",
  "alone.start": "Start Roomful on another machine",
  "alone.where": "You are {name} at {addresses}, TCP {tcp}, room {room}.",
  "alone.nowhere": "no network address",
  "alone.looking": "Looking for others",
  "alone.beacon": "{interface}: beacon to {target}",
  "alone.beaconError": "{interface}: {error}",
  "alone.noBeacons": "No usable network interface. Plug in a cable or join a Wi-Fi, and it goes on by itself.",
  "alone.notYet": "not yet",
  "alone.causes": "If others run it and you don't see them",
  "alone.cause1": "Is it the same network and the same room name, {room}?",
  "alone.cause2": "A firewall may block UDP {udp} or TCP {tcp}.",
  "alone.cause3": "Guest Wi-Fi often keeps devices apart.",
  "alone.cause4": "Where broadcasts do not get through, name this machine there, or call the other one here: {command}",
  "alone.address": "Address of another machine",
  "alone.call": "Call",
  "alone.calling": "Calling {address}. Whoever answers in this room appears by themselves.",
  "alone.callFailed": "{address} was called: {error}. Is it running there, and does its firewall let it be called?",
  "alone.notCalled": "{address} could not be called. An address is like 192.0.2.9 or box.local:7666; nothing was changed.",

  "door.title.no-key": "Open Roomful with its link",
  "door.why.no-key":
    "This browser has no key to the node on this machine yet. The link brings it. Print it where the node runs:",
  "door.title.stranger": "This is not your node",
  "door.why.stranger":
    "Something else answers on this port, or your node has made a new link. It could not prove that it knows this" +
    " browser's key, so nothing was sent to it. Print the link where your node runs:",
  "door.title.refused": "This link is no longer good",
  "door.why.refused":
    "Your node does not accept this browser's key any more: a newer link was made. Print it where the node runs:",
  "door.title.stranger.shared": "This tab needs a new link",
  "door.why.stranger.shared":
    "Your node was started again, or something else answers on this port. It could not prove that it knows this" +
    " browser's key, so nothing was sent to it. Print the link where your node runs:",
  "door.title.restarted": "Your node was started again",
  "door.why.restarted":
    "Other people use the machine of your node, so each start has a new address and a new link. This tab still has the" +
    " old address. Print the new link where your node runs:",
  "door.then": "Then open that link in this browser.",
  "door.then.kept": "Then open that link in this browser. What you wrote and could not send is kept.",

  "door.then.node": "Then open that link in this browser. What you wrote is kept in your node.",
  "door.then.unsaved":
    "Then open that link in this browser. What stands below is in this tab alone: copy it before you close the tab.",
  "door.unsaved": "What you wrote",

  "first.title": "Welcome. This is how others see you",
  "first.name": "Your name",
  "first.start": "Start",
  "first.later": "You can change it at any time with /name.",

  "exit.title": "Leave the chat and stop your node?",
  "exit.text":
    "Others see that you left. Messages are kept on this machine; nothing arrives until you start it again with roomful.",
  "exit.confirm": "Leave and stop",

  "switcher.title": "Go to a conversation, a person or a command",
  "switcher.join": "Open # {name}",
  "search.title": "Search messages",
  "search.empty": "Type what to look for. Narrow it with from:anna in:general before:2026-11-30 after:2026-11-01",
  "search.none": "Nothing found. Only what this node holds is searched.",
  "search.found": { one: "{n} message, newest first", other: "{n} messages, newest first" },
  "search.newest": {
    0: "Nothing found among the newest messages. A narrower search goes further back.",
    one: "{n} message, found among the newest. A narrower search goes further back.",
    other: "{n} messages, found among the newest. A narrower search goes further back.",
  },
  "search.failed": "Your node did not answer. Nothing is lost; try again in a moment.",

  "profile.state": "State",
  "profile.address": "Address",
  "profile.short": "Short id",
  "profile.id": "Full id",
  "profile.online": "in reach since {when}",
  "profile.unsure": "unsure since {when}",
  "profile.left": "left {when}",
  "profile.lost": "lost {when}",
  "profile.verified": "✓ You compared your safety words, and they matched.",
  "profile.write": "Write a message",
  "profile.mute": "Mute",
  "profile.unmute": "Unmute",
  "profile.block": "Block",
  "profile.unblock": "Unblock",
  "profile.mute.done": "{name} is muted: no notices and no sounds from them.",
  "profile.unmute.done": "{name} is not muted any more.",
  "profile.block.done": "{name} is blocked.",
  "profile.unblock.done": "{name} is not blocked any more.",
  "profile.failed": "Your node did not take that. Nothing was changed; try again in a moment.",
  "safety.compare": "Compare safety words",
  "safety.title": "Safety words",
  "safety.how": "Ask {name}, in person or by telephone, to read theirs. Both must be the same.",
  "safety.qr": "The digits below, as a QR code",
  "safety.match": "They match",
  "safety.differ": "They differ",
  "safety.matched": "{name} is verified now.",
  "safety.differed": "{name} is not verified.",
  "safety.warning": "Somebody may be between you, or this is somebody else. Do not trust what you read here.",

  "help.title": "Help",
  "help.commands": "Commands",
  "help.slash": "To send text that begins with a slash, type two: //",
  "help.keys": "Keys",
  "help.theme": "Look",
  "help.choices": "Settings",
  "choice.enterSends": "Enter sends, Shift+Enter begins a new line",
  "choice.joy": "Confetti when somebody says /hooray",
  "choice.default": "This browser may show notices once you turn them on.",
  "choice.granted": "Notices are on.",
  "choice.denied": "This browser refuses notices from this page. Its own settings can change that.",
  "choice.turnOn": "Turn on",
  "choice.notices": "Notices",
  "choice.sounds": "Sounds",
  "choice.direct": "for what is meant for me",
  "choice.all": "for everything",
  "choice.none": "never",
  "choice.texts": "Show the text in notices",
  "choice.quiet": "Do not disturb",
  "choice.muted": "Mute {name}",
  "theme.auto": "Automatic",
  "theme.light": "Light",
  "theme.dark": "Dark",
  "theme.contrast": "More contrast",
  "key.enter": "Send",
  "key.ctrlEnter": "Send, whatever Enter does",
  "key.shiftEnter": "New line",
  "key.escape": "Close what is open, else jump to the newest message",
  "key.altArrows": "Previous or next conversation",
  "key.altShiftArrows": "Previous or next conversation with something new",
  "key.help": "This help",
  "key.parts": "From part to part of the page",
  "key.arrows": "Move by message, in the list of messages; Enter shows what can be done",
  "key.aside": "To the links and buttons of a message, and back",
  "key.tab": "Complete a command",

  "command.join": "Open a channel, or begin one",
  "command.msg": "Write to one person alone",
  "command.members": "Show who is here",
  "command.help": "Commands, keys and settings",
  "command.history": "Go back in time",
  "command.name": "Change your name",
  "command.hooray": "Greet everybody with a little joy",
  "command.exit": "Leave the chat and stop your node",
  "hooray.text": "Hooray, everybody!",
};

const plurals = new Intl.PluralRules(LANGUAGE);
const numbers = new Intl.NumberFormat(LANGUAGE);

/** The text of `key`; where it counts, the form for `values.n`. Gaps that have no value stay visible. */
export function t(key, values = {}) {
  return fillGaps(formOf(key, values), values);
}

/** The text with its gaps still in it, for filling them with elements. */
export function formOf(key, values = {}) {
  const text = catalogue[key];
  if (text === undefined) throw new Error(`no text for ${key}`);
  return typeof text === "string" ? text : text[values.n] ?? text[plurals.select(values.n)] ?? text.other;
}

function fillGaps(text, values) {
  return text.replace(/\{(\w+)\}/g, (gap, name) => {
    const value = values[name];
    return value === undefined ? gap : typeof value === "number" ? numbers.format(value) : value;
  });
}

// --- dates ---

// The language of the texts, with the habits of the reader's own region where it is the same language.
const preferred = globalThis.navigator?.languages?.find((tag) => tag.split("-")[0] === LANGUAGE);
const locale = preferred ?? "en-GB";
const format = (options) => new Intl.DateTimeFormat(locale, options);
const clock = format({ timeStyle: "short" });
const full = format({ dateStyle: "full", timeStyle: "medium" });
const longDay = format({ weekday: "long", day: "numeric", month: "long" });
const longDayYear = format({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
const weekday = format({ weekday: "short" });
const shortDay = format({ day: "numeric", month: "short" });
const shortDayYear = format({ day: "numeric", month: "short", year: "numeric" });
const relative = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "auto" });
const list = new Intl.ListFormat(LANGUAGE);
const seconds = new Intl.NumberFormat(locale, { style: "unit", unit: "second", unitDisplay: "short" });
const minutes = new Intl.NumberFormat(locale, { style: "unit", unit: "minute", unitDisplay: "short" });
const hours = new Intl.NumberFormat(locale, { style: "unit", unit: "hour", unitDisplay: "short" });

export const timeText = (at) => clock.format(at);
export const fullTimeText = (at) => full.format(at);

/** The time alone, without am or pm, for the narrow gutter beside a row whose group already says it. */
export function gutterTimeText(at) {
  const parts = clock.formatToParts(at).filter((part) => part.type !== "dayPeriod");
  return parts.map((part) => part.value).join("").trim();
}

function daysAgo(at, now) {
  const midnight = (ms) => new Date(ms).setHours(0, 0, 0, 0);
  return Math.round((midnight(now) - midnight(at)) / 86_400_000);
}

export function dayText(at, now) {
  const days = daysAgo(at, now);
  if (days === 0 || days === 1) return capital(relative.format(-days, "day"));
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  return (sameYear ? longDay : longDayYear).format(at);
}

/** "08:12", "Tue" or "3 Nov": since when somebody is here. */
export function sinceText(at, now) {
  const days = daysAgo(at, now);
  if (days <= 0) return timeText(at);
  if (days < 7) return weekday.format(at);
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  return (sameYear ? shortDay : shortDayYear).format(at);
}

/** "18:40", "yesterday 18:40", "Tue 09:15", "3 Nov": when somebody went. */
export function whenText(at, now) {
  const days = daysAgo(at, now);
  if (days <= 0) return timeText(at);
  if (days === 1) return `${relative.format(-1, "day")} ${timeText(at)}`;
  return days < 7 ? `${weekday.format(at)} ${timeText(at)}` : sinceText(at, now);
}

export function spanText(ms) {
  const s = Math.round(ms / 1000);
  if (s < 90) return seconds.format(s);
  return s < 5400 ? minutes.format(Math.round(s / 60)) : hours.format(Math.round(s / 3600));
}

export function agoText(ms) {
  return new Intl.RelativeTimeFormat(LANGUAGE, { style: "narrow" }).format(-Math.max(0, Math.round(ms / 1000)), "second");
}

/** A list in words, as parts: `[{type: "element", value}, {type: "literal", value: " and "}…]`. */
export const listParts = (values) => list.formatToParts(values);
export const listText = (values) => list.format(values);
export const byName = new Intl.Collator(LANGUAGE, { sensitivity: "base", numeric: true }).compare;

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
