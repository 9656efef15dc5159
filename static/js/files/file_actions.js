// What can be done with a file, on its card and elsewhere: each action by its id.

import { make } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { keepFile } from "../model/files.js";

/** The route of an action that changes how a file is kept here, and what is sent to it. */
const CHANGES = {
  fetchFile: ["fetch"],
  retryFetch: ["fetch"],
  resumeFetch: ["fetch"],
  pauseFetch: ["cancel"], // what has been verified stays
  cancelFetch: ["remove"],
  pinFile: ["pin", { pinned: true }],
  unpinFile: ["pin", { pinned: false }],
};

/** @typedef {import("../app.js").App} App */

/** @type {Record<string, (app: App, content: string, card: HTMLElement) => Promise<unknown> | void>} */
const OTHERS = {
  openPicture: (app, content) => app.openDialog("lightbox", content),
  playFile: (app, content, card) => import("./player.js").then(({ play }) => play(app, content, card)),
  saveFile: save,
};

/** The ids of all actions. */
export const FILE_ACTIONS = [...Object.keys(CHANGES), ...Object.keys(OTHERS)];

/** Does something with the file of a card. A refusal is told in the conversation. @param {App} app */
export async function runFileAction(app, id, card) {
  const { content } = card.dataset;
  try {
    if (OTHERS[id]) return await OTHERS[id](app, content, card);
    const [path, body = {}] = CHANGES[id];
    keepFile(app.state, await app.connection.post(`/api/v1/files/${content}/${path}`, body));
    app.views.touch("files");
  } catch (error) {
    app.hint(t("hint.refused", { error: error.message }));
  }
}

/** Saves a file by the browser's own download, so that it is never in memory. */
async function save({ connection }, content) {
  const { url } = await connection.post(`/api/v1/files/${content}/link`, {});
  const link = make("a");
  Object.assign(link, { href: url, download: "" });
  link.click();
}
