// The card of a file: its name, how far it is, and what can be done with it.

import { make, setText } from "../lib/dom.js";
import { sizeText } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { createRates } from "./rates.js";

/** Media types that may have a picture; its bytes decide. */
const PICTURE = /^image\/(png|jpeg|gif|webp|avif)$/;
const PLAYED = /^(audio|video)\//;
const PLAYED_BYTES_MAX = 64 * 1024 * 1024; // it is played from memory

/** What a card offers, by the state of its file: the ids of actions. */
const BUTTONS = {
  remote: ["fetchFile"],
  waiting: ["cancelFetch"],
  fetching: ["pauseFetch", "cancelFetch"],
  here: ["saveFile"],
  failed: ["retryFetch"],
  gone: [],
};

/** The actions that a card offers. A pinned file is never evicted. */
export function buttonsOf({ state, pinned, have, size, media_type: type }) {
  if (state === "remote" && have > 0) return ["resumeFetch", "cancelFetch"];
  const buttons = BUTTONS[state] ?? [];
  if (state !== "here") return buttons;
  const play = PLAYED.test(type) && size <= PLAYED_BYTES_MAX ? ["playFile"] : [];
  return [...play, ...buttons, pinned ? "unpinFile" : "pinFile"];
}

/** Whether a message says that a file has a picture. */
export const mayBePicture = ({ media_type, width, height }) => PICTURE.test(media_type) && width > 0 && height > 0;

/** How far a file is, in words. `rate`: bytes a second, or null. */
export function fileStateText({ state, size, have, holders }, rate = null) {
  const percent = Math.floor((100 * have) / Math.max(1, size));
  const held = typeof holders === "number" ? t("files.holders", { n: holders }) : null;
  const isPaused = state === "remote" && have > 0;
  const words = state ? t(isPaused ? "files.paused" : `files.${state}`, { percent }) : null;
  const fast = rate === null ? null : t("files.rate", { size: sizeText(rate) });
  return [typeof size === "number" ? sizeText(size) : null, words, fast, held].filter(Boolean).join(" · ");
}

const rates = createRates();

/**
 * Makes a card. `said` is what the message tells of the file, `file` what is known of it now.
 *
 * @param {import("../app.js").App} app
 * @param {any} said
 * @param {any} file
 */
export function makeCard(app, said, file) {
  const { content, name } = said;
  const card = make("li", "file");
  card.setAttribute("role", "listitem");
  card.dataset.content = content;
  card.dataset.name = name;
  const bar = make("progress", "file__progress");
  bar.setAttribute("aria-label", t("files.progress", { name }));
  card.append(make("bdi", "file__name", name), make("span", "file__state"), bar, make("span", "file__buttons"));
  drawCard(card, file);
  if (mayBePicture(said)) {
    const open = make("button", "file__open");
    open.type = "button";
    open.dataset.act = "openPicture";
    open.setAttribute("aria-label", t("files.open", { name }));
    const img = make("img", "file__picture");
    img.alt = "";
    img.style.aspectRatio = `${said.width} / ${said.height}`;
    img.style.width = `${said.width}px`;
    open.append(img);
    card.prepend(open);
    drawPicture(app, card, { ...said, ...file });
  }
  return card;
}

/** Shows what is here of a picture, in a box whose size never changes. */
export function drawPicture({ connection }, card, file) {
  const img = card.querySelector(".file__picture");
  if (img === null || file.state === "gone") return;
  import("./pictures.js").then(({ isPicture, fill }) => isPicture(file) && fill(img, file, connection)).catch(() => {}); // the card beside it still offers the file
}

/** Buttons stay the same elements while their file stays in its state, so that they keep the focus. */
export function drawCard(card, file) {
  const [words, bar, buttons] = [...card.children].slice(-3);
  const isMoving = file.state === "fetching";
  const rate = isMoving ? rates.note(file.content, file.have, Date.now()) : null;
  if (!isMoving) rates.forget(file.content);
  setText(words, fileStateText(file, rate));
  bar.hidden = !(isMoving || (file.state === "remote" && file.have > 0));
  bar.max = Math.max(1, file.size || 1);
  bar.value = file.have || 0;
  const wanted = buttonsOf(file);
  if ([...buttons.children].map(({ dataset }) => dataset.act).join() === wanted.join()) return;
  buttons.replaceChildren(
    ...wanted.map((act) => {
      const button = make("button", "button button--link", t(`files.${act}`));
      button.type = "button";
      button.dataset.act = act;
      button.setAttribute("aria-label", t(`files.${act}Named`, { name: card.dataset.name }));
      return button;
    }),
  );
}
