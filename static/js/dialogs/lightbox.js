// A picture as large as the window allows. The arrows go on to the other pictures of the conversation.

import { mayBePicture } from "../files/cards.js";
import { runFileAction } from "../files/file_actions.js";
import { fill } from "../files/pictures.js";
import { make, setText } from "../lib/dom.js";
import { sizeText, whenText } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { openConversation, rangeOf } from "../model/conversations.js";
import { openDialog } from "./dialog.js";

/** The pictures of messages, in their order, each content once: `{ file, message }`. Pure. */
export function picturesOf(messages) {
  const found = new Map();
  for (const message of messages) {
    if (message.deleted) continue;
    for (const file of message.files ?? []) if (mayBePicture(file)) found.set(file.content, { file, message });
  }
  return [...found.values()];
}

/** @param {import("../app.js").App} app */
export function open(app, content) {
  const { state, connection } = app;
  const pictures = picturesOf(rangeOf(openConversation(state)).messages);
  let at = Math.max(
    0,
    pictures.findIndex(({ file }) => file.content === content),
  );
  if (pictures.length === 0) return;
  const dialog = openDialog("t-lightbox");
  const [previous, next] = dialog.querySelectorAll(".lightbox__step");
  const [heading, facts, box] = ["h2", ".meta", ".lightbox__box"].map((part) => dialog.querySelector(part));

  function draw() {
    const { file, message } = pictures[at];
    const now = { ...file, ...state.files.get(file.content) };
    dialog.dataset.content = file.content;
    setText(heading, file.name);
    const when = whenText(Date.parse(message.time), Date.now());
    setText(facts, t("lightbox.facts", { name: message.name, when, size: sizeText(now.size) }));
    setText(dialog.querySelector("[role=status]"), t("lightbox.place", { at: at + 1, n: pictures.length }));
    previous.disabled = at === 0;
    next.disabled = at === pictures.length - 1;
    const img = make("img", "lightbox__picture");
    img.alt = file.name;
    box.replaceChildren(img);
    fill(img, now, connection).catch(() => {}); // its preview stays
    if (now.state !== "here") fetchIt(file.content);
  }

  /** Fetches a picture that is opened: that is what opening it asks for. */
  function fetchIt(wanted) {
    connection.post(`/api/v1/files/${wanted}/fetch`, {}).catch(() => {}); // its card tells why
  }

  function step(by) {
    const to = at + by;
    if (to < 0 || to >= pictures.length) return;
    at = to;
    draw();
  }

  previous.addEventListener("click", () => step(-1));
  next.addEventListener("click", () => step(1));
  dialog.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    step(document.dir === "rtl" ? -by : by);
  });
  dialog.querySelector(".lightbox__save").addEventListener("click", () => runFileAction(app, "saveFile", dialog));
  // What arrives while it is open is shown.
  const stop = app.views.add({
    topics: ["files"],
    draw: () => {
      const { file } = pictures[at];
      const now = state.files.get(file.content);
      const img = box.querySelector("img");
      if (dialog.open && now && img) fill(img, { ...file, ...now }, connection).catch(() => {});
    },
  });
  dialog.addEventListener("close", () => stop());
  draw();
  heading.focus();
}
