// Files that are chosen, dropped or pasted: a chip each beside the field, and nothing is sent before Enter.

import { createAttachments, FILES_MAX } from "../files/attachments.js";
import { byId, make, setText } from "../lib/dom.js";
import { sizeText } from "../lib/format.js";
import { t } from "../lib/i18n.js";

const measure = async (file) => (await import("../files/measure.js")).measure(file);

/** @param {import("../app.js").App} app */
export function install(app) {
  const { state, views, composer } = app;
  const attachments = createAttachments({
    send: (path, options) => app.connection.fetch(path, options),
    changed: () => views.touch("attachments"),
    measure,
  });
  composer.attachments = attachments;
  const input = byId("attach-input");

  function add(files) {
    if (attachments.add(state.route.conversation, files) === null) app.hint(t("files.tooMany", { n: FILES_MAX }));
    composer.focus();
  }

  byId("attach").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    add([...input.files]);
    input.value = ""; // or the same file could not be chosen again
  });

  const hasFiles = ({ dataTransfer }) => Boolean(dataTransfer?.types.includes("Files"));
  addEventListener("dragover", (event) => {
    if (hasFiles(event)) event.preventDefault(); // or the browser would leave the page for the file
  });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    add([...event.dataTransfer.files]);
  });
  addEventListener("paste", (event) => {
    const { files } = event.clipboardData;
    // A table brings a picture of itself: its text is meant.
    if (files.length === 0 || event.clipboardData.getData("text/plain") !== "") return;
    event.preventDefault();
    add([...files]);
  });

  views.add({
    topics: ["attachments", "route"],
    draw: () => drawChips(attachments.of(state.route.conversation), remove),
  });

  function remove(id) {
    attachments.remove(state.route.conversation, id);
    composer.focus();
  }
}

/** Chips stay the same elements while they fill, so that their buttons keep the focus. */
function drawChips(attachments, remove) {
  const list = byId("attachments");
  const before = new Map([...list.children].map((chip) => [chip.dataset.id, chip]));
  const chips = attachments.map((one) => {
    const chip = before.get(one.id) ?? makeChip(one, remove);
    setText(chip.children[1], stateText(one));
    chip.classList.toggle("attachment--failed", one.status === "failed");
    return chip;
  });
  for (const chip of before.values()) if (!chips.includes(chip)) chip.remove();
  for (const chip of chips) if (!chip.isConnected) list.append(chip);
  list.hidden = chips.length === 0;
}

function makeChip({ id, name }, remove) {
  const chip = make("li", "attachment");
  chip.dataset.id = id;
  const button = make("button", "button button--ghost", "×");
  button.type = "button";
  button.setAttribute("aria-label", t("files.detach", { name }));
  button.addEventListener("click", () => remove(id));
  chip.append(make("bdi", "attachment__name", name), make("span", "attachment__state"), button);
  return chip;
}

function stateText({ status, size, sent, error }) {
  if (status === "failed") return t("files.notUploaded", { error });
  if (status === "ready") return sizeText(size);
  return t("files.uploading", { percent: Math.floor((100 * sent) / Math.max(1, size)), size: sizeText(size) });
}
