// Where a link leads, and whether the words in it say so: a host can hide behind other words, in front of an @, or in
// letters of another alphabet.

const GOAL_MAX = 80;
const SCHEMES = new Set(["http:", "https:", "mailto:"]);

/** Characters that turn the order of those around them, or are not seen. */
const DECEIVING = /[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/;

/** Whether a link may lead there. The node checks this too; a page does not take its word for it. */
export function mayLead(href) {
  return URL.canParse(href) && SCHEMES.has(new URL(href).protocol);
}

/** The page of each user is on their own computer, under whatever port. */
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;
const ROUTE = /^#\/(channel|with)\/[^/]+(\/[0-9a-f]+)?$/;

/** The fragment of a link to a conversation or a message in a page of this program, or null: the reader's own page has it too. */
export function ownRoute(href) {
  const { protocol, hostname, pathname, search, hash } = new URL(href);
  const isPage = /^https?:$/.test(protocol) && LOOPBACK.test(hostname) && pathname === "/" && search === "";
  return isPage && ROUTE.test(hash) ? hash : null;
}

/** As much of a host as can be read: who it belongs to stands at its end. */
export const endOf = (goal) => (goal.length > GOAL_MAX ? `…${goal.slice(1 - GOAL_MAX)}` : goal);

/** The host or address that a link leads to, as a browser writes it, unless that is just what is shown. */
export function hiddenGoal(href, shown) {
  const { protocol, host, pathname } = new URL(href);
  const goal = protocol === "mailto:" ? pathname : host;
  const text = shown
    .trim()
    .toLowerCase()
    .replace(/^(https?:\/\/|mailto:)/, "");
  const isFirst = text.startsWith(goal.toLowerCase()) && /^($|[/?#])/.test(text.slice(goal.length));
  return isFirst && !DECEIVING.test(shown) ? "" : goal;
}
