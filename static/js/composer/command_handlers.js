// What the commands do. Loaded with the first of them.

import { listText, whenText } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { shortOf } from "../lib/member_name.js";
import { channelId, directId, openConversation, rangeOf } from "../model/conversations.js";
import { channelName, findMember, parse } from "./command_parser.js";

const HISTORY_DEFAULT = 50;
const HISTORY_MAX = 2000;
const PAGE_MIN = 100;
const PAGE_MAX = 500;

/** Takes a line from the composer. @param {import("../app.js").App} app */
export function run(app, line) {
  const parsed = parse(line);
  if (parsed.kind === "text") return app.say(parsed.text);
  if (parsed.kind === "unknown") return offer(app, line, parsed);
  return handlers[parsed.name](app, parsed.rest);
}

const handlers = {
  join,
  msg,
  members: (app) => app.layout.openMembers(),
  help: (app) => app.openDialog("help"),
  history,
  topic: (app, rest) => import("../features/topic_and_status.js").then(({ setTopic }) => setTopic(app, rest)),
  status: (app, rest) => import("../features/topic_and_status.js").then(({ setStatus }) => setStatus(app, rest)),
  name: rename,
  hooray: (app, rest) => app.say(rest, { kind: "hooray" }),
  exit,
};

function offer(app, line, { name, rest, nearest }) {
  const asText = { label: t("hint.asText"), run: () => app.say(line) };
  const meant = `/${nearest} ${rest}`.trim();
  const better = { label: t("hint.nearest", { name: nearest }), run: () => write(app, meant) };
  app.hint(t("hint.unknown", { name }), nearest === null ? [asText] : [better, asText]);
}

function join(app, rest) {
  const name = channelName(rest);
  if (name === "") return app.hint(t("hint.joinMissing"));
  app.router.go(channelId(name));
}

function msg(app, rest) {
  if (rest === "") return app.hint(t("hint.msgMissing"));
  // A name that is also the user's own means the other member.
  const others = [...app.state.members.values()].filter(({ self }) => !self);
  const { member, several, text } = findMember(others, rest);
  if (several)
    return app.hint(
      t("hint.several"),
      several.map((one) => choice(app, one, text)),
    );
  if (!member) return app.hint(t("hint.noMember", { name: rest.split(/\s/, 1)[0] }));
  app.router.go(directId(member.id));
  if (text) app.say(text);
}

/** One of several with that name: nothing goes out before the user says which of them is meant. */
function choice(app, { id, name, short }, text) {
  return {
    label: `${name} ${short}`,
    run: () => {
      app.router.go(directId(id));
      write(app, text);
    },
  };
}

function write({ composer }, text) {
  composer.text = text;
}

async function history(app, rest) {
  const count = rest === "" ? HISTORY_DEFAULT : Number(rest);
  if (!Number.isInteger(count) || count < 1) return app.hint(t("hint.historyNumber"));
  try {
    const asked = app.connection.get("/api/v1/node").catch(() => null); // without its word the messages are still worth going to
    const { beginning, goal } = await goBack(app, Math.min(count, HISTORY_MAX));
    const where = beginning ? t("hint.beginning") : t("hint.older", { n: count });
    const node = await asked;
    if (node === null) return app.announce(where);
    const whole = wholeness(node.history, [...app.state.members.values()], Date.now());
    if (!goal) return app.hint(whole); // nothing was said here yet
    app.note(whole, goal);
    app.announce(`${where} ${whole}`);
  } catch {
    app.hint(t("hint.historyFailed"));
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
 * Goes back from what is read now, loading what is not here yet. Returns whether that is the beginning, and the id of
 * the message where it is.
 */
async function goBack({ state, timeline, pagination }, count) {
  const range = () => rangeOf(openConversation(state));
  const { id: first } = timeline.firstVisible();
  const place = Math.max(
    0,
    range().messages.findIndex((message) => message.id === first),
  );
  let loaded = 0;
  pagination.isHeld = true;
  try {
    while (place + loaded < count && range().floor !== null) {
      loaded += await pagination.older(Math.min(PAGE_MAX, Math.max(PAGE_MIN, count - place - loaded)));
    }
  } finally {
    pagination.isHeld = false;
  }
  const goal = Math.max(0, place + loaded - count);
  const beginning = goal === 0 && range().floor === null;
  const id = range().messages[goal]?.id;
  timeline.toRow(beginning ? "begin" : timeline.keyOf(id));
  return { beginning, goal: id };
}

async function rename(app, rest) {
  if (rest === "") return app.hint(t("hint.nameMissing"));
  if (!app.connection.isOpen) return app.hint(t("hint.needsNode", { name: "name" }));
  try {
    await app.command("name", rest);
    app.hint(t("hint.named", { name: rest }));
  } catch (error) {
    app.hint(t("hint.refused", { error: error.message }));
  }
}

async function exit(app) {
  if (!(await app.openDialog("exit"))) return;
  if (!app.connection.isOpen) return app.hint(t("hint.needsNode", { name: "exit" }));
  try {
    await app.command("exit");
  } catch (error) {
    app.hint(t("hint.refused", { error: error.message }));
  }
}
