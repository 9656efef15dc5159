// The first time a browser shows a node: who one is, with the chance to be called otherwise. It stands above the
// messages and is in nobody's way: whoever just begins to write has answered it.

import { byId, clone, identicon, setText } from "../lib/dom.js";
import { t } from "../lib/texts.js";
import { read, write } from "../storage.js";

const keyFor = (node) => `roomful.met.${node}`;

export function mountFirstRun({ state, room }) {
  const place = byId("first-run");
  const me = state.members.get(state.me);
  const hasSpoken = [...state.messages.values()].some((message) => message.author === state.me);
  if (!me || hasSpoken || place.hasChildNodes() || hasMet(state.me)) return;

  const card = clone("t-first");
  const field = card.querySelector("input");
  card.querySelector(".portrait").append(identicon(me.id));
  field.setAttribute("aria-label", t("first.name"));
  field.value = me.name;
  const done = () => {
    met(state.me);
    card.remove();
    byId("field").focus();
  };
  card.addEventListener("submit", async (event) => {
    event.preventDefault();
    const name = field.value.trim();
    if (name === "" || name === me.name) return done();
    try {
      await room.command("name", name);
      done();
    } catch (error) {
      setText(card.querySelector(".said"), t("hint.refused", { error: error.message }));
    }
  });
  card.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    done();
  });
  // From the page Enter takes the name as it is: were its field focused, what somebody just types would become it.
  document.addEventListener("keydown", ({ key, target }) => {
    if (key !== "Enter" || !card.isConnected) return;
    if (target === byId("field")) done();
    else if (target === document.body) card.requestSubmit();
  });
  place.append(card);
  // What must not lie below it knows how high it is.
  new ResizeObserver(() => place.parentElement.style.setProperty("--first", `${card.offsetHeight}px`)).observe(card);
}

/** Also true where storage is forbidden (undefined): it could not be remembered, and would come again with every load. */
const hasMet = (node) => read(keyFor(node)) !== null;

const met = (node) => write(keyFor(node), "1");
