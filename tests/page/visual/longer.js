// Every word of the page as it may become in another language: four tenths longer, with marks above and below the letters.
// What people wrote, and what they are called, stays as it is.

const LETTERS = { a: "å", e: "ë", i: "ï", o: "ö", u: "ũ", c: "ç", n: "ñ", s: "š", y: "ÿ", A: "Å", E: "Ë", I: "Ï", O: "Ö", U: "Ũ", C: "Ç", N: "Ñ", S: "Š" };
const WORDS = ["öñë", "ẅö", "ţhrëë", "ƒöũr", "ƒïvë", "šïx", "šëvëñ"];

function longer(text) {
  const missing = Math.ceil(text.trim().length * 0.4);
  let more = "";
  for (let i = 0; more.length < missing; i += 1) more += ` ${WORDS[i % WORDS.length]}`;
  return text.trimEnd().replace(/[A-Za-z]/g, (letter) => LETTERS[letter] ?? letter) + more.slice(0, missing + 1).trimEnd() + (text.endsWith(" ") ? " " : "");
}

const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT, (node) => {
  const isOurs = /[A-Za-z]{2}/.test(node.data) && !node.parentElement.closest("bdi, code, kbd, time, .message__body, .search-hit__text, .safety-words__list, .safety-words__hex, dd, template, noscript, script");
  return isOurs ? NodeFilter.FILTER_ACCEPT : NodeFilter.FILTER_REJECT;
});
const found = [];
while (walker.nextNode()) found.push(walker.currentNode);
for (const node of found) node.data = longer(node.data);
for (const element of document.querySelectorAll("[placeholder]")) element.placeholder = longer(element.placeholder);
