// All files of a conversation, the newest first, and a field that finds them by name.

import { makeCard } from "../files/cards.js";
import { runFileAction } from "../files/file_actions.js";
import { setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { conversationName, fieldsOf } from "../model/conversations.js";
import { openDialog } from "./dialog.js";

const SHOWN_MAX = 200;

/** The files whose names contain all that was typed. Pure. */
export function filesNamed(files, typed) {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  return files.filter(({ name }) => words.every((word) => name.toLowerCase().includes(word)));
}

/** @param {import("../app.js").App} app */
export async function open(app, conversation) {
  const { state, connection } = app;
  const dialog = openDialog("t-files");
  const place = conversationName(state, conversation);
  setText(dialog.querySelector("h2"), t("files.title", { place }));
  const [field, status, list] = ["input", "[role=status]", "ul"].map((part) => dialog.querySelector(part));
  field.setAttribute("aria-label", t("files.search"));
  field.placeholder = t("files.search");
  list.addEventListener("click", ({ target }) => {
    const part = target.closest("[data-act]");
    if (part) runFileAction(app, part.dataset.act, part.closest(".file"));
  });

  let files = [];
  function draw() {
    const found = filesNamed(files, field.value);
    const shown = found.slice(0, SHOWN_MAX);
    const words = files.length === 0 ? "files.none" : found.length === 0 ? "files.noneFound" : "files.count";
    setText(status, found.length > SHOWN_MAX ? t("files.first", { n: SHOWN_MAX }) : t(words, { n: found.length }));
    list.replaceChildren(...shown.map((file) => makeCard(app, file, state.files.get(file.content) ?? file)));
  }
  field.addEventListener("input", draw);
  field.focus();
  try {
    ({ files } = await connection.get(`/api/v1/files?${new URLSearchParams(fieldsOf(conversation))}`));
    draw();
  } catch (error) {
    setText(status, t("hint.refused", { error: error.message }));
  }
}
