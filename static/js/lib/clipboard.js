// Writing to the clipboard, which a browser may refuse.

import { t } from "./i18n.js";

const TOLD_MS = 1500;

/** Copies a text. Returns whether the browser let it. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * Lets a button copy what an element says, and say how that went. Where it is refused the text is selected, for the keys.
 * `of` is the element, or finds it.
 */
export function copyOnClick(button, of) {
  const before = button.textContent;
  let timer = 0;
  button.addEventListener("click", async () => {
    const source = typeof of === "function" ? of() : of;
    const text = source.value ?? source.textContent;
    const isCopied = await copyText(text);
    if (!isCopied) select(source);
    button.textContent = t(isCopied ? "copied" : "copy.byKeys");
    clearTimeout(timer);
    timer = setTimeout(() => (button.textContent = before), TOLD_MS);
  });
}

function select(source) {
  if (source.select) return source.select();
  getSelection().selectAllChildren(source);
}
