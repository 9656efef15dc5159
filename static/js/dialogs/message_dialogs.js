// The dialogs of one message: who has it, who reacted, what it said before, and whether to delete it.

import { namesOf } from "../features/reactions.js";
import { drawIfChanged, make, setText } from "../lib/dom.js";
import { beginningOfText } from "../lib/excerpt.js";
import { fullTimeText, whenText } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { identicon, opensProfile } from "../lib/identicon.js";
import { memberName } from "../sidebar/member_list.js";
import { openDialog } from "./dialog.js";

const ASK_EVERY_MS = 2000;

/**
 * Which members have one of the user's own messages, since when, and which do not yet. Asks again while it is shown.
 *
 * @param {import("../app.js").App} app
 */
export function openReceipts({ state, connection }, id) {
  const dialog = openDialog("t-receipts");
  const status = dialog.querySelector("[role=status]");
  const lists = dialog.querySelectorAll("ul");
  async function ask() {
    try {
      const answer = await connection.get(`/api/v1/messages/${id}/held`);
      drawIfChanged(dialog, answer, () => draw(answer));
    } catch {
      if (status.textContent === "") setText(status, t("holders.failed"));
    }
  }

  function draw({ held, missing }) {
    const [k, n] = [held.length, held.length + missing.length];
    setText(status, t(k === 0 ? "state.node" : k < n ? "state.some" : "state.all", { k, n }));
    lists[0].replaceChildren(...held.map(({ id: holder, at }) => line(holder, sinceText(at))));
    lists[1].replaceChildren(...missing.map((holder) => line(holder, t("holders.notYet"))));
  }

  function line(holder, words) {
    const item = make("li", "receipt");
    item.setAttribute("role", "listitem");
    const mark = make("span", "receipt__icon");
    mark.append(identicon(holder));
    item.append(
      opensProfile(mark, holder),
      opensProfile(memberName(state, holder), holder),
      make("span", "meta", words),
    );
    return item;
  }

  const timer = setInterval(() => document.hidden || ask(), ASK_EVERY_MS);
  dialog.addEventListener("close", () => clearInterval(timer));
  dialog.querySelector("h2").focus();
  ask();
}

/** The node remembers the time only as long as it runs. */
function sinceText(at) {
  if (at === null) return t("holders.before");
  return t("holders.since", { when: whenText(Date.parse(at), Date.now()) });
}

/** Who chose which reaction. @param {import("../app.js").App} app @param {{ emoji: string, by: string[] }[]} reactions */
export function openReactions({ state }, reactions) {
  const dialog = openDialog("t-reactions");
  const lines = reactions.flatMap(({ emoji, by }) => [make("dt", "", emoji), make("dd", "", namesOf(state, by))]);
  dialog.querySelector("dl").append(...lines);
  dialog.querySelector("h2").focus();
}

/** What an edited message said before, the newest version first. @param {import("../app.js").App} app */
export function openVersions({ connection }, id) {
  const dialog = openDialog("t-versions");
  const list = dialog.querySelector("ol");
  const older = dialog.querySelector(".versions__older");
  let before = null;

  async function load() {
    try {
      const query = before === null ? "" : `?${new URLSearchParams({ before })}`;
      const page = await connection.get(`/api/v1/messages/${id}/versions${query}`);
      before = page.before;
      list.append(...page.versions.toReversed().map(versionLine));
      older.hidden = before === null;
    } catch (error) {
      setText(dialog.querySelector("[role=status]"), t("edit.failed", { error: error.message }));
    }
  }

  older.addEventListener("click", load);
  dialog.querySelector("h2").focus();
  load();
}

function versionLine({ text, time }) {
  const item = make("li", "version");
  item.setAttribute("role", "listitem");
  const words = make("div", "version__text", text);
  words.dir = "auto";
  item.append(make("span", "meta", fullTimeText(Date.parse(time))), words);
  return item;
}

/** Asks before a message is deleted: that cannot be taken back. @param {import("../app.js").App} app */
export function openDelete({ state, outbox, composer }, { id, text }) {
  const { conversation } = state.route;
  const dialog = openDialog("t-delete", (element) => {
    element.querySelector("blockquote").textContent = beginningOfText(text);
  });
  dialog.querySelector(".dialog__confirm").addEventListener("click", () => {
    dialog.close();
    const { type, id: edited } = state.ui.composerMode;
    if (type !== "compose" && edited === id) composer.leave();
    outbox.add("delete", { target: id, conversation });
  });
}
