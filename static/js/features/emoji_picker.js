// Choosing an emoji: those used last come first, and a word finds others.

import { openDialog } from "../dialogs/dialog.js";
import { make, setText } from "../lib/dom.js";
import { loadEmoji, matchingEmoji, recentEmoji } from "./emoji_names.js";
import { t } from "../lib/i18n.js";
import { createFinder } from "../lib/listbox.js";

/** What is offered for what was typed. Pure. */
export function offered(all, typed, recent) {
  if (typed.trim() !== "") return matchingEmoji(all, typed, all.length);
  const used = recent.map((emoji) => all.find((one) => one.emoji === emoji)).filter(Boolean);
  return [...used, ...all.filter((one) => !used.includes(one))];
}

/** Those that the fonts here have: another one is an empty box, or several pictures in a row. */
function drawable(list) {
  const context = document.createElement("canvas").getContext("2d");
  if (context === null) return list;
  context.font = `20px ${getComputedStyle(document.body).fontFamily}`;
  const width = (text) => context.measureText(text).width;
  const usual = width(list[0].emoji);
  return list.filter(({ emoji }) => Math.abs(width(emoji) - usual) < usual / 4);
}

/** @param {import("../app.js").App} app @param {(emoji: string) => void} take */
export async function open(app, take) {
  const dialog = openDialog("t-emoji");
  const field = dialog.querySelector("input");
  const list = dialog.querySelector("ul");
  const status = dialog.querySelector("[role=status]");
  const finder = createFinder({
    field,
    list,
    draw: ({ emoji, names }) => [
      Object.assign(make("span", "", emoji), { title: names[0] }),
      make("span", "hidden-text", names[0]),
    ],
    columns: () => [...list.children].filter(({ offsetTop }) => offsetTop === list.firstElementChild.offsetTop).length,
    take({ emoji }) {
      dialog.close();
      take(emoji);
    },
  });
  field.placeholder = t("emoji.search");
  field.focus();
  try {
    const all = drawable(await loadEmoji(app));
    const update = () => {
      const found = offered(all, field.value, recentEmoji());
      finder.show(found);
      setText(status, field.value.trim() === "" ? "" : t("completion.count", { n: found.length }));
    };
    field.addEventListener("input", update);
    update();
  } catch {
    setText(status, t("emoji.failed"));
  }
}
