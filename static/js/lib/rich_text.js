// From the spans of a message to elements.

import { copyOnClick } from "./clipboard.js";
import { make } from "./dom.js";
import { t } from "./i18n.js";
import { alignLists } from "./list_lines.js";
import { endOf, hiddenGoal, mayLead, ownRoute } from "./safe_links.js";

/** How spans of further types look. @type {Record<string, (span: any) => Node>} */
export const spanKinds = {};

export function renderSpans(parent, spans, depth = 0) {
  spans.forEach((span, i) => {
    const element = span.type === "text" ? textBetween(spans[i - 1], span, spans[i + 1]) : renderSpan(span, depth);
    parent.append(element);
  });
  alignLists(parent);
}

const isBlock = (span) => span?.type === "pre" || span?.type === "quote";

/** A block has lines of its own and space around it: empty lines beside it would be a gap. */
function textBetween(before, span, after) {
  let text = linesOf(span.text);
  if (isBlock(before)) text = text.replace(/^\n+/, "");
  if (isBlock(after)) text = text.replace(/\n+$/, "");
  return document.createTextNode(text);
}

function renderSpan(span, depth) {
  if (depth > 8) return document.createTextNode("");
  switch (span.type) {
    case "code":
      return make("code", "", span.text);
    case "pre":
      return codeBlock(span);
    case "em":
    case "strong":
      return within(make(span.type), span, depth);
    case "strike":
      return within(make("s"), span, depth);
    case "quote":
      return within(make("blockquote"), span, depth);
    case "link":
      return linkTo(span, depth);
    default:
      if (spanKinds[span.type]) return spanKinds[span.type](span);
      return span.spans ? within(make("span"), span, depth) : document.createTextNode(span.text ?? "");
  }
}

/** A browser draws a line end of two characters as a space and a line end. */
const linesOf = (text) => text.replaceAll("\r\n", "\n");

function within(element, span, depth) {
  renderSpans(element, span.spans ?? [], depth + 1);
  return element;
}

/** Code as it is indented, with its language and a way to copy it. */
function codeBlock({ text, lang }) {
  const code = make("pre", "", linesOf(text));
  code.tabIndex = -1; // it scrolls, but Tab leaves the list of messages
  const copy = make("button", "button button--link", t("copy"));
  Object.assign(copy, { type: "button", tabIndex: -1 });
  copy.setAttribute("aria-label", t("code.copy"));
  copyOnClick(copy, code);
  const head = make("div", "code-block__head");
  head.append(make("span", "", lang ?? ""), copy);
  const block = make("div", "code-block");
  block.append(head, code);
  return block;
}

/** A link, if it goes where links may go; behind it where that is, unless its own words say so. */
function linkTo(span, depth) {
  const { href } = span;
  if (!mayLead(href)) return within(make("span"), span, depth);
  const link = within(make("a"), span, depth);
  const route = ownRoute(href);
  link.href = route ?? href;
  if (route === null) Object.assign(link, { target: "_blank", rel: "noopener noreferrer" });
  link.tabIndex = -1; // in a row the arrows lead to it: Tab leaves the list
  const goal = endOf(hiddenGoal(href, link.textContent));
  if (!goal) return link;
  const both = make("span");
  both.append(link, " ", make("bdi", "link-target", t("link.goal", { goal })));
  return both;
}
