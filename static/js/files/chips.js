// The chips of the files that wait beside the field: what each is, how far its upload is, and its buttons.

import { make, setText } from "../lib/dom.js";
import { sizeText } from "../lib/format.js";
import { t } from "../lib/i18n.js";

/** Pictures that a browser shows, and that are small enough to be decoded for a chip. */
const SHOWN = /^image\/(png|jpeg|gif|webp|avif)$/;
const SHOWN_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Draws the chips. They stay the same elements while they fill, so that their buttons keep the focus.
 *
 * @param {HTMLElement} list
 * @param {import("./attachments.js").Attachment[]} attachments
 * @param {{ remove: (id: string) => void, retry: (id: string) => void }} actions
 */
export function drawChips(list, attachments, actions) {
  const before = new Map([.../** @type {any} */ (list.children)].map((chip) => [chip.dataset.id, chip]));
  const chips = attachments.map((one) => {
    const chip = before.get(one.id) ?? makeChip(one, actions);
    drawChip(chip, one);
    return chip;
  });
  for (const chip of before.values()) if (!chips.includes(chip)) endChip(chip);
  for (const chip of chips) if (!chip.isConnected) list.append(chip);
  list.hidden = chips.length === 0;
}

function makeChip({ id, name, file }, { remove, retry }) {
  const chip = make("li", "attachment");
  chip.dataset.id = id;
  if (SHOWN.test(file.type) && file.size <= SHOWN_BYTES_MAX) {
    const img = make("img", "attachment__picture");
    img.alt = "";
    img.addEventListener("error", () => img.remove()); // it is no picture after all
    img.src = URL.createObjectURL(file);
    chip.append(img);
  }
  const facts = make("div", "attachment__facts");
  const bar = make("progress", "attachment__progress");
  bar.setAttribute("aria-label", t("files.progress", { name }));
  const label = make("bdi", "attachment__name", name);
  label.title = name;
  facts.append(label, make("span", "attachment__state"), bar);
  const button = (className, text, label, run) => {
    const element = make("button", `button ${className}`, text);
    element.type = "button";
    element.setAttribute("aria-label", label);
    element.addEventListener("click", () => run(id));
    return element;
  };
  chip.append(
    facts,
    button("button--link attachment__retry", t("files.retry"), t("files.retryNamed", { name }), retry),
    button("button--ghost", "×", t("files.detach", { name }), remove),
  );
  return chip;
}

function drawChip(chip, one) {
  const { status, size, sent } = one;
  setText(chip.querySelector(".attachment__state"), stateText(one));
  chip.classList.toggle("attachment--failed", status === "failed");
  chip.querySelector(".attachment__retry").hidden = status !== "failed";
  const bar = chip.querySelector("progress");
  bar.hidden = status !== "uploading";
  bar.max = Math.max(1, size);
  bar.value = sent;
}

function endChip(chip) {
  const img = chip.querySelector("img");
  if (img) URL.revokeObjectURL(img.src);
  chip.remove();
}

/** How far an upload is, in words. Pure. */
export function stateText({ status, size, sent, error, rate }) {
  if (status === "failed") return t("files.notUploaded", { error });
  if (status === "ready") return sizeText(size);
  const words = t("files.uploading", { percent: Math.floor((100 * sent) / Math.max(1, size)), size: sizeText(size) });
  return rate === null ? words : `${words} · ${t("files.rate", { size: sizeText(rate) })}`;
}
