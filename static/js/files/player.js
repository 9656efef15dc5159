// Plays a sound or a film in its card, from memory: what the browser can't play is saved instead.

import { make } from "../lib/dom.js";
import { t } from "../lib/i18n.js";

/** Puts a player into a card, in place of its button, and starts it. @param {import("../app.js").App} app */
export async function play({ connection, hint, state }, content, card) {
  if (card.querySelector(".file__player")) return;
  const { media_type: type } = state.files.get(content) ?? { media_type: card.dataset.type };
  const answer = await connection.fetch(`/api/v1/files/${content}`);
  if (!answer.ok) throw new Error((await answer.json()).message);
  const player = make(type.startsWith("video/") ? "video" : "audio", "file__player");
  const url = URL.createObjectURL(new Blob([await answer.arrayBuffer()], { type }));
  const end = () => {
    URL.revokeObjectURL(url);
    player.remove();
  };
  player.controls = true;
  player.setAttribute("aria-label", card.dataset.name);
  player.addEventListener("error", () => {
    end();
    hint(t("files.notPlayed", { name: card.dataset.name }));
  });
  player.src = url;
  card.prepend(player);
  player.play().catch(() => {}); // a browser may wait for the user
}
