// Where a link leads, and whether the words in it say so. A host can hide behind other words, in front of an @, or in
// letters of another alphabet.

const SCHEMES = new Set(["http:", "https:", "mailto:"]);

/** Characters that turn the order of those around them, or are not seen. */
const DECEIVING = /[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/;

/** Whether a link may lead there. The node checks this too; a page does not take its word for it. */
export function mayLead(href) {
  return URL.canParse(href) && SCHEMES.has(new URL(href).protocol);
}

/** The host or address that a link leads to, as a browser writes it, unless that is just what is shown. */
export function hiddenGoal(href, shown) {
  const { protocol, host, pathname } = new URL(href);
  const goal = protocol === "mailto:" ? pathname : host;
  const text = shown.trim().toLowerCase().replace(/^(https?:\/\/|mailto:)/, "");
  const isFirst = text.startsWith(goal.toLowerCase()) && /^($|[/?#])/.test(text.slice(goal.length));
  return isFirst && !DECEIVING.test(shown) ? "" : goal;
}
