// The time of a row.

import { make } from "../lib/dom.js";
import { fullTimeText } from "../lib/format.js";

/** A time to be seen in short and heard in `full`; without `text` only to be heard. */
export function drawTime(time, at, text, full = fullTimeText(at)) {
  time.dateTime = new Date(at).toISOString();
  time.classList.toggle("hidden-text", text === null);
  if (text === null) return (time.textContent = full);
  time.title = full;
  const shown = make("span", "", text);
  shown.setAttribute("aria-hidden", "true");
  time.replaceChildren(shown, make("span", "hidden-text", full));
}
