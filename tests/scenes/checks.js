// What a machine sees on a picture: run in the page, answers what is wrong as lines of text. The pictures are looked at by
// people; this finds what a tired eye passes over.

const HIT_PX = 24;
const problems = [];
const label = (element) => `${element.tagName.toLowerCase()}${element.id ? `#${element.id}` : ""}.${[...element.classList].join(".")} ${JSON.stringify(element.textContent.trim().slice(0, 40))}`;
const isSeen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !element.closest(".hidden-text, .skip");
const top = document.querySelector("dialog[open]") ?? document.body;

const { scrollWidth, clientWidth } = document.documentElement;
if (scrollWidth > clientWidth) problems.push(`the page is ${scrollWidth} px wide in ${clientWidth}`);

for (const element of top.querySelectorAll("*")) {
  if (!isSeen(element)) continue;
  const style = getComputedStyle(element);
  const overflows = element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0;
  const hasText = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== "");
  if (overflows && style.overflowX !== "visible" && style.textOverflow !== "ellipsis" && style.display !== "inline") {
    problems.push(`cut at the side, without an ellipsis: ${label(element)}`);
  }
  if (hasText) {
    const box = element.getBoundingClientRect();
    if (box.left < -1 || box.right > innerWidth + 1) problems.push(`sticks out: ${label(element)}`);
  }
}

const isInText = (element) => element.closest(".body") !== null;
for (const control of top.querySelectorAll("button, a[href], input, select, textarea, [role=option]")) {
  if (!isSeen(control) || isInText(control)) continue;
  const target = control.closest("label") ?? control;
  const { width, height } = target.getBoundingClientRect();
  if (width < HIT_PX || height < HIT_PX) problems.push(`${Math.round(width)} x ${Math.round(height)} px to hit: ${label(control)}`);
}

const field = document.getElementById("field");
if (top === document.body && field.checkVisibility()) {
  const { bottom, left, right } = field.getBoundingClientRect();
  if (bottom > innerHeight || left < 0 || right > innerWidth) problems.push("the composer is not wholly in the window");
}
const focused = document.activeElement;
if (focused !== document.body && focused?.checkVisibility()) {
  const box = focused.getBoundingClientRect();
  if (box.bottom < 0 || box.top > innerHeight) problems.push(`the focus is out of sight: ${label(focused)}`);
}

// Nothing lies over what one reads or presses, outside of the list, where the pills may.
for (const control of top.querySelectorAll("button, .title, .connection, .name")) {
  if (!isSeen(control) || control.closest("#messages, .pills, [inert]") || top.closest("[inert]")) continue;
  const { left, top: upper, width, height } = control.getBoundingClientRect();
  const [x, y] = [left + width / 2, upper + height / 2];
  if (x < 0 || y < 0 || x >= innerWidth || y >= innerHeight) continue;
  const found = document.elementFromPoint(x, y);
  const scroller = control.closest(".side-body, .options, .dialog, .completion, .door");
  const isScrolledAway = scroller !== null && found !== null && !scroller.contains(found);
  if (found !== null && !isScrolledAway && !control.contains(found) && !found.contains(control)) problems.push(`${label(found)} lies over ${label(control)}`);
}
return problems;
