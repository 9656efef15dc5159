// Files that are chosen, dropped or pasted: a chip each beside the field, and nothing is sent before Enter.

import { createAttachments, FILES_MAX } from "../files/attachments.js";
import { byId, make, setText } from "../lib/dom.js";
import { sizeText } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { conversationName } from "../model/conversations.js";

const measure = async (file) => (await import("../files/measure.js")).measure(file);

/** How long a drag may go without a sign before it has left the window: browsers send one every 350 ms at the latest. */
const DRAG_GONE_MS = 600;

/** @param {import("../app.js").App} app */
export function install(app) {
  const { state, views, composer } = app;
  const prepare = async (file) =>
    state.settings.cleanPictures ? (await import("../files/metadata.js")).withoutMetadata(file) : file;
  const attachments = createAttachments({
    send: (path, options) => app.connection.fetch(path, options),
    changed: () => views.touch("attachments"),
    measure,
    prepare,
  });
  composer.attachments = attachments;
  const input = byId("attach-input");
  const here = () => state.route.conversation;

  function add(files) {
    if (attachments.add(here(), files) === null) app.hint(t("files.tooMany", { n: FILES_MAX }));
    composer.focus();
  }

  byId("attach").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    add([...input.files]);
    input.value = ""; // or the same file could not be chosen again
  });
  takeDropped(add, () => conversationName(state, here()));
  addEventListener("paste", (event) => {
    const { clipboardData: data } = event;
    const text = data.getData("text/plain");
    // A table brings a picture of itself: its text is meant.
    if (data.files.length > 0 && text === "") {
      event.preventDefault();
      add([...data.files]);
    } else if (event.target === byId("field") && isTooLong(text)) {
      event.preventDefault();
      offerAsFile(text);
    }
  });

  const isTooLong = (text) => new Blob([text]).size > (state.session.limits?.text_bytes ?? Infinity);

  function offerAsFile(text) {
    const { selectionStart, selectionEnd } = byId("field");
    app.hint(t("files.long", { size: sizeText(new Blob([text]).size) }), [
      { label: t("files.asFile"), run: () => add([new File([text], "text.txt", { type: "text/plain" })]) },
      { label: t("files.asText"), run: () => composer.replace(selectionStart, selectionEnd, text) },
    ]);
  }

  views.add({
    topics: ["attachments", "route"],
    draw() {
      if (attachments.of(here()).length === 0 && byId("attachments").hidden) return;
      import("../files/chips.js").then(({ drawChips }) => {
        drawChips(byId("attachments"), attachments.of(here()), { remove: change("remove"), retry: change("retry") });
        app.timeline.hold();
      });
    },
  });

  /** What a button of a chip does. The chip may go with it, so the field takes the focus. */
  const change = (/** @type {"remove" | "retry"} */ name) => (id) => {
    attachments[name](here(), id);
    composer.focus();
  };
}

/** Takes files that are dropped anywhere, and says so while they are over the page. */
function takeDropped(add, placeName) {
  const hasFiles = ({ dataTransfer }) => Boolean(dataTransfer?.types.includes("Files"));
  const target = make("p", "drop-target");
  let gone = 0;
  function hide() {
    clearTimeout(gone);
    target.remove();
  }
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault(); // or the browser would leave the page for the file
    setText(target, t("files.drop", { place: placeName() }));
    if (!target.isConnected) document.body.append(target);
    clearTimeout(gone);
    gone = setTimeout(hide, DRAG_GONE_MS);
  });
  addEventListener("drop", (event) => {
    hide();
    if (!hasFiles(event)) return;
    event.preventDefault();
    add([...event.dataTransfer.files]);
  });
}
