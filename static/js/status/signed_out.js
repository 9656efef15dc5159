// What is shown instead of the room when the node cannot or must not be talked to.

import { copyOnClick } from "../lib/clipboard.js";
import { byId, clone } from "../lib/dom.js";
import { t } from "../lib/i18n.js";

const SIGNED_OUT = new Set(["no-key", "stranger", "refused", "restarted"]);

/** @param {import("../app.js").App} app */
export function install(app) {
  const { state, views } = app;
  let shown = null; // the phase that is shown
  views.add({
    topics: ["session"],
    draw() {
      const { phase } = state.session;
      if (!SIGNED_OUT.has(phase)) {
        // Only an open connection ends it: while it is being tried, the words stay.
        if (phase !== "open" || shown === null) return;
        shown = null;
        show(false);
      } else if (phase !== shown) {
        shown = phase;
        byId("signed-out").replaceChildren(cardOf(app, phase));
        show(true);
        document.title = byId("signed-out").querySelector("h1").textContent;
        byId("signed-out").querySelector("h1").focus();
      }
    },
  });
}

function show(isSignedOut) {
  byId("signed-out").hidden = !isSignedOut;
  byId("app").hidden = isSignedOut;
  if (!isSignedOut) byId("signed-out").replaceChildren();
}

function cardOf({ state, connection, outbox }, phase) {
  const isShared = state.session.node?.shared === true;
  const kind = phase === "stranger" && isShared ? "stranger.shared" : phase;
  const unsaved = isShared || phase === "restarted" ? outbox.unsavedTexts() : [];
  // Nothing was written, or all of it was sent.
  const isNew = phase === "no-key" || (phase === "restarted" && !isShared);
  const then = isNew ? "door.then" : isShared ? "door.then.node" : "door.then.kept";
  const card = clone("t-signed-out");
  card.querySelector("h1").textContent = t(`door.title.${kind}`);
  card.querySelector(".signed-out__reason").textContent = t(`door.why.${kind}`);
  card.querySelector(".signed-out__next").textContent = t(unsaved.length > 0 ? "door.then.unsaved" : then);
  drawUnsaved(card, unsaved);
  copyOnClick(card.querySelector("button"), card.querySelector("code"));
  const again = card.querySelector(".signed-out__retry");
  again.hidden = phase === "no-key" || phase === "restarted"; // there is nothing to try
  again.addEventListener("click", () => connection.open());
  return card;
}

/** What only this tab has: to be copied by hand, since no other page may read it. */
function drawUnsaved(card, texts) {
  const place = card.querySelector(".signed-out__unsaved");
  place.hidden = texts.length === 0;
  if (place.hidden) return;
  const field = place.querySelector("textarea");
  field.value = texts.join("\n\n");
  field.setAttribute("aria-label", t("door.unsaved"));
  copyOnClick(place.querySelector("button"), field);
}
