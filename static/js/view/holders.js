// Who holds a message of one's own, since when, and who does not yet. Asks the node again while it is shown.

import { clone, identicon, make, setText } from "../lib/dom.js";
import { t, whenText } from "../lib/texts.js";
import { open } from "./dialogs.js";
import { memberName } from "./sides.js";

const ASK_EVERY_MS = 2000;

export function showHolders({ state, socket }, id) {
  const dialog = open("t-holders");
  const status = dialog.querySelector("[role=status]");
  const lists = dialog.querySelectorAll("ul");
  let shown = "";

  async function ask() {
    try {
      const answer = await socket.get(`/api/v1/messages/${id}/held`);
      const text = JSON.stringify(answer);
      if (text !== shown) draw(answer);
      shown = text;
    } catch {
      if (shown === "") setText(status, t("holders.failed"));
    }
  }

  function draw({ held, missing }) {
    const [k, n] = [held.length, held.length + missing.length];
    setText(status, t(k === 0 ? "state.node" : k < n ? "state.some" : "state.all", { k, n }));
    lists[0].replaceChildren(...held.map(({ id: holder, at }) => line(holder, sinceText(at))));
    lists[1].replaceChildren(...missing.map((holder) => line(holder, t("holders.notYet"))));
  }

  function line(holder, words) {
    const item = make("li", "holder");
    item.setAttribute("role", "listitem");
    const mark = make("span", "mark");
    mark.append(identicon(holder));
    item.append(mark, memberName(state, holder), make("span", "meta", words));
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
