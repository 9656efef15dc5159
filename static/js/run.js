// What the commands do. Loaded right after the page is up, so that typing does not wait for it.

import { channelName, findMember, parse } from "./commands.js";
import { shortOf } from "./lib/dom.js";
import { listText, t, whenText } from "./lib/texts.js";
import { channelKey, directKey } from "./state.js";
import { askExit } from "./view/dialogs.js";

const HISTORY_DEFAULT = 50;
const HISTORY_MAX = 2000;
const PAGE_MIN = 100;
const PAGE_MAX = 500;

/** Takes a line from the composer. `room` is what main.js lets commands do. */
export function run(room, line) {
  const parsed = parse(line);
  if (parsed.kind === "text") return room.say(parsed.text);
  if (parsed.kind === "unknown") return offer(room, line, parsed);
  return DO[parsed.name](room, parsed.rest);
}

const DO = {
  join,
  msg,
  members: (room) => room.showMembers(),
  help: (room) => room.showHelp(),
  history,
  name: rename,
  hooray: (room, rest) => room.say(rest, "hooray"),
  exit,
};

function offer(room, line, { name, rest, nearest }) {
  const asText = { label: t("hint.asText"), run: () => room.say(line) };
  const meant = `/${nearest} ${rest}`.trim();
  const better = { label: t("hint.nearest", { name: nearest }), run: () => room.write(meant) };
  room.hint(t("hint.unknown", { name }), nearest === null ? [asText] : [better, asText]);
}

function join(room, rest) {
  const name = channelName(rest);
  if (name === "") return room.hint(t("hint.joinMissing"));
  room.go(channelKey(name));
}

function msg(room, rest) {
  if (rest === "") return room.hint(t("hint.msgMissing"));
  // Whoever bears the name of another means the other.
  const { member, several, text } = findMember(room.members.filter(({ self }) => !self), rest);
  if (several) return room.hint(t("hint.several"), several.map((one) => choice(room, one, text)));
  if (!member) return room.hint(t("hint.noMember", { name: rest.split(/\s/, 1)[0] }));
  room.go(directKey(member.id));
  if (text) room.say(text);
}

/** One of several who bear the name: nothing goes out before the user says which of them is meant. */
function choice(room, { id, name, short }, text) {
  return { label: `${name} ${short}`, run: () => { room.go(directKey(id)); room.write(text); } };
}

async function history(room, rest) {
  const count = rest === "" ? HISTORY_DEFAULT : Number(rest);
  if (!Number.isInteger(count) || count < 1) return room.hint(t("hint.historyNumber"));
  try {
    const asked = room.node().catch(() => null); // without its word the messages are still worth going to
    const { beginning, goal } = await goBack(room, Math.min(count, HISTORY_MAX));
    const where = beginning ? t("hint.beginning") : t("hint.older", { n: count });
    const node = await asked;
    if (node === null) return room.announce(where);
    const whole = wholeness(node.history, room.members, Date.now());
    if (!goal) return room.hint(whole); // nothing was said here yet
    room.note(whole, goal);
    room.announce(`${where} ${whole}`);
  } catch {
    room.hint(t("hint.historyFailed"));
  }
}

/** How far the history is complete, as far as the node knows, and who said what is missing. */
export function wholeness({ missing, oldest, lacking }, members, now) {
  const since = oldest === null ? null : whenText(Date.parse(oldest), now);
  if (missing === 0) return since === null ? t("history.none") : t("history.whole", { since });
  const names = lacking.map(({ id }) => members.find((member) => member.id === id)?.name ?? shortOf(id));
  const told = lacking.reduce((sum, { entries }) => sum + entries, 0);
  if (told < missing) names.push(t("history.others"));
  return t("history.missing", { n: missing, names: listText(names), since });
}

/**
 * Goes back from what is read now, loading what is not here yet. Answers whether that is the beginning, and the id of
 * the message where it is.
 */
async function goBack({ known, timeline, pages }, count) {
  const { id: first } = timeline.firstVisible();
  const place = Math.max(0, known().messages.findIndex((message) => message.id === first));
  let loaded = 0;
  pages.isHeld = true;
  try {
    while (place + loaded < count && known().floor !== null) {
      loaded += await pages.older(Math.min(PAGE_MAX, Math.max(PAGE_MIN, count - place - loaded)));
    }
  } finally {
    pages.isHeld = false;
  }
  const goal = Math.max(0, place + loaded - count);
  const beginning = goal === 0 && known().floor === null;
  const id = known().messages[goal]?.id;
  timeline.toRow(beginning ? "begin" : timeline.keyOf(id));
  return { beginning, goal: id };
}

async function rename(room, rest) {
  if (rest === "") return room.hint(t("hint.nameMissing"));
  if (!room.isOpen) return room.hint(t("hint.needsNode", { name: "name" }));
  try {
    await room.command("name", rest);
    room.hint(t("hint.named", { name: rest }));
  } catch (error) {
    room.hint(t("hint.refused", { error: error.message }));
  }
}

async function exit(room) {
  if (!(await askExit())) return;
  if (!room.isOpen) return room.hint(t("hint.needsNode", { name: "exit" }));
  try {
    await room.command("exit");
  } catch (error) {
    room.hint(t("hint.refused", { error: error.message }));
  }
}
