// The first time a browser shows a node: how others see the user, with the chance to change the name. It stands above
// the messages and in the way of nothing: beginning to write answers it.

import { byId, clone, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { identicon } from "../lib/identicon.js";
import { read, write } from "../lib/storage.js";
import { ownMember } from "../model/members/members.js";

const keyFor = (node) => `roomful.met.${node}`;

/** @param {import("../app.js").App} app */
export function install(app) {
  let isAsked = false;
  app.timeline.beforeDraw.push(() => {
    if (!isAsked) mount(app);
    isAsked = true;
  });
  app.views.touch("timeline");
}

function mount(app) {
  const { state } = app;
  const place = byId("first-run");
  const me = ownMember(state);
  const hasSpoken = [...state.messages.values()].some((message) => message.author === me?.id);
  if (!me || hasSpoken || hasMet(me.id)) return;

  const card = clone("t-onboarding");
  const field = card.querySelector("input");
  card.querySelector(".onboarding__icon").append(identicon(me.id));
  field.setAttribute("aria-label", t("first.name"));
  field.value = me.name;
  const done = () => {
    met(me.id);
    card.remove();
    app.composer.focus();
  };
  card.addEventListener("submit", async (event) => {
    event.preventDefault();
    const name = field.value.trim();
    if (name === "" || name === me.name) return done();
    try {
      await app.command("name", name);
      done();
    } catch (error) {
      setText(card.querySelector(".onboarding__status"), t("hint.refused", { error: error.message }));
    }
  });
  card.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    done();
  });
  // From the page Enter takes the name as it is: were its field focused, what is typed would become it.
  app.keyboard.observe(({ key, target }) => {
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
