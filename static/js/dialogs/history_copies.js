// The copies of the history that repairs and updates set aside on this computer, and their removal.

import { make } from "../lib/dom.js";
import { sizeText } from "../lib/format.js";
import { t } from "../lib/i18n.js";

/**
 * Fills `place` with the copies that there are; without any, it stays empty.
 * @param {HTMLElement} place
 * @param {import("../app.js").App} app
 */
export async function drawHistoryCopies(place, app) {
  const { connection } = app;
  const { copies = [] } = await connection.get("/api/v1/node").catch(() => ({}));
  if (copies.length === 0) return;
  const names = make("ul", "settings__copies");
  names.append(...copies.map(({ name, bytes }) => make("li", "meta", `${name} · ${sizeText(bytes)}`)));
  const status = make("p", "meta");
  status.setAttribute("role", "status");
  const button = make("button", "button", t("copies.remove", { n: copies.length }));
  button.type = "button";
  button.addEventListener("click", async () => {
    try {
      const { removed } = await connection.post("/api/v1/copies/remove", {});
      status.textContent = t("copies.removed", { n: removed.length });
      status.tabIndex = -1;
      status.focus();
      names.remove();
      button.remove();
    } catch (error) {
      status.textContent = t("hint.refused", { error: error.message });
    }
  });
  place.replaceChildren(make("h3", "", t("copies.title")), make("p", "", t("copies.lead")), names, button, status);
}
