// All emoji with their names, loaded when they are first asked for, and those that were used last. Completes a name after a
// colon, from its second letter on.

import { completionSources } from "../composer/autocomplete.js";
import { byId, make } from "../lib/dom.js";
import { read, write } from "../lib/storage.js";

const RECENT = "roomful.emoji";
const RECENT_MAX = 16;

/** @typedef {{ emoji: string, names: string[] }} Emoji */

/** @type {Promise<Emoji[]> | null} */
let loading = null;

/** @param {import("../app.js").App} app */
export function loadEmoji({ connection }) {
  loading ??= fetchEmoji(connection);
  loading.catch(() => (loading = null)); // asked for again, it is tried again
  return loading;
}

async function fetchEmoji(connection) {
  const { emoji } = await connection.get("/api/v1/emoji", { cache: "default" });
  return emoji.map(([one, ...names]) => ({ emoji: one, names }));
}

/** Those whose name begins like this, then those with a word in it that does. Pure. @param {Emoji[]} list */
export function matchingEmoji(list, typed, max) {
  const wanted = typed.trim().toLowerCase().replace(/\s+/g, "_");
  const begins = list.filter(({ names }) => names.some((name) => name.startsWith(wanted)));
  const others = list.filter((one) => !begins.includes(one) && one.names.some((name) => name.includes(`_${wanted}`)));
  return [...begins, ...others].slice(0, max);
}

/** The emoji that were used last, the newest first. @returns {string[]} */
export const recentEmoji = () => read(RECENT)?.split(" ") ?? [];

export function keepRecent(emoji) {
  write(RECENT, [emoji, ...recentEmoji().filter((one) => one !== emoji)].slice(0, RECENT_MAX).join(" "));
}

const OFFERED_MAX = 8;

/** The name that is begun before the caret: `{ start, name }`, or null. Never in "10:30" or "http://". Pure. */
export function begunName(line, caret) {
  const [, before, name] = /(^|.*[\s(])(?::)([a-z+-][a-z0-9_+-]+)$/is.exec(line.slice(0, caret)) ?? [];
  return name === undefined ? null : { start: before.length, name };
}

/** @param {import("../app.js").App} app */
export function install(app) {
  const { composer } = app;
  let list = null;
  completionSources.push((line, caret) => {
    const begun = begunName(line, caret);
    if (begun === null) return null;
    if (list === null) {
      load();
      return null;
    }
    const options = matchingEmoji(list, begun.name, OFFERED_MAX).map(({ emoji, names }) => ({
      text: `${emoji} `,
      draw: () => [make("span", "option__icon", emoji), make("span", "", `:${names[0]}:`)],
    }));
    return { start: begun.start, end: caret, options };
  });

  byId("add-emoji").addEventListener("click", () => {
    app.openDialog("emoji", (emoji) => {
      keepRecent(emoji);
      composer.replace(composer.caret, composer.caret, emoji);
      composer.focus();
    });
  });

  /** Once the names are here, what was typed meanwhile is completed. */
  async function load() {
    list = await loadEmoji(app).catch(() => null);
    if (list !== null) for (const tell of composer.inputHandlers) tell(composer.text);
  }
}
