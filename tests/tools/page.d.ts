// What the page takes for granted where TypeScript is stricter: every element that it finds is one of HTML, and the
// target of every event that it listens for is an element.

interface ParentNode {
  // biome-ignore lint/suspicious/noExplicitAny: what is found is what the template has there
  querySelector(selectors: string): any;
  // biome-ignore lint/suspicious/noExplicitAny: the same
  querySelectorAll(selectors: string): NodeListOf<any>;
}

interface Element extends HTMLOrSVGElement {}

interface EventTarget {
  // biome-ignore lint/suspicious/noExplicitAny: the same
  closest(selectors: string): any;
}
