// The files of a message: a card each, with what is here of it and what can be done.

import { make, setText } from "../lib/dom.js";
import { sizeText } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { keepFile } from "../model/files.js";
import { isAlive, messageActions } from "../timeline/message_actions.js";
import { setRowPart } from "../timeline/message_row.js";

/** Media types that may have a picture; its bytes decide. */
const PICTURE = /^image\/(png|jpeg|gif|webp|avif)$/;

/** What a card offers, by the state of its file: the ids of actions. */
const BUTTONS = {
  remote: ["fetchFile"],
  waiting: ["cancelFetch"],
  fetching: ["cancelFetch"],
  here: ["saveFile"],
  failed: ["fetchFile"],
  gone: [],
};

/** The actions that a card offers. A pinned file is never evicted. */
export function buttonsOf({ state, pinned }) {
  const buttons = BUTTONS[state] ?? [];
  return state === "here" ? [...buttons, pinned ? "unpinFile" : "pinFile"] : buttons;
}

const filesOf = (/** @type {any} */ { message: { deleted, files = [] } }) => (deleted ? [] : files);

/** How far a file is, in words. */
export function fileStateText({ state, size, have, holders }) {
  const percent = Math.floor((100 * have) / Math.max(1, size));
  const held = typeof holders === "number" ? t("files.holders", { n: holders }) : null;
  const words = state ? t(`files.${state}`, { percent }) : null;
  return [typeof size === "number" ? sizeText(size) : null, words, held].filter(Boolean).join(" · ");
}

/** @param {import("../app.js").App} app */
export function install(app) {
  const { state, views, connection } = app;
  const current = (file) => state.files.get(file.content) ?? file;

  function keep(file) {
    keepFile(state, file);
    views.touch("files");
  }

  setRowPart("attachment", {
    has: (row) => filesOf(row).length > 0,
    same: (a, b) => a.message.files === b.message.files && a.isPending === b.isPending,
    draw: (slot, row) => {
      const list = make("ul", "files");
      list.setAttribute("aria-label", t("files.of"));
      list.append(...filesOf(row).map((file) => makeCard(app, file, current(file))));
      slot.replaceChildren(list);
    },
  });

  // Progress changes the cards that are shown, and builds no rows.
  views.add({
    topics: ["files"],
    draw: () => {
      for (const card of document.querySelectorAll("#list [data-content]")) {
        const file = state.files.get(card.dataset.content);
        if (!file) continue;
        drawCard(card, file);
        drawPicture(app, card, file);
      }
    },
  });

  const act = (id, path, body = {}) => ({
    id,
    when: isAlive,
    run: async (_row, _app, part) => {
      const { content } = part.closest("[data-content]").dataset;
      try {
        keep(await connection.post(`/api/v1/files/${content}/${path}`, body));
      } catch (error) {
        app.hint(t("hint.refused", { error: error.message }));
      }
    },
  });
  messageActions.push(act("fetchFile", "fetch"), act("cancelFetch", "cancel"));
  messageActions.push(act("pinFile", "pin", { pinned: true }), act("unpinFile", "pin", { pinned: false }));
  messageActions.push({
    id: "saveFile",
    when: isAlive,
    run: async (_row, _app, part) => {
      const { content } = part.closest("[data-content]").dataset;
      try {
        const { url } = await connection.post(`/api/v1/files/${content}/link`, {});
        const link = make("a");
        Object.assign(link, { href: url, download: "" });
        link.click(); // the browser's own download: the file is never in memory
      } catch (error) {
        app.hint(t("hint.refused", { error: error.message }));
      }
    },
  });
}

function makeCard(app, { content, name, ...said }, file) {
  const card = make("li", "file");
  card.dataset.content = content;
  card.dataset.name = name;
  card.append(make("bdi", "file__name", name), make("span", "file__state"), make("span", "file__buttons"));
  drawCard(card, file);
  if (PICTURE.test(said.media_type) && said.width > 0 && said.height > 0) {
    const img = make("img", "file__picture");
    img.alt = name;
    img.style.aspectRatio = `${said.width} / ${said.height}`;
    img.style.width = `${said.width}px`;
    card.prepend(img);
    drawPicture(app, card, { ...said, ...file, content });
  }
  return card;
}

/** Shows what is here of a picture, in a box whose size never changes. */
function drawPicture({ connection }, card, file) {
  const img = card.querySelector(".file__picture");
  if (img === null || file.state === "gone") return;
  import("../files/pictures.js")
    .then(({ isPicture, fill }) => isPicture(file) && fill(img, file, connection))
    .catch(() => {}); // the card beside it still offers the file
}

/** Buttons stay the same elements while their file stays in its state, so that they keep the focus. */
function drawCard(card, file) {
  const [words, buttons] = [...card.children].slice(-2);
  setText(words, fileStateText(file));
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
