// What a machine sees on a picture: run in the page, answers what is wrong as lines of text. The pictures are looked at by
// people; this finds what a tired eye passes over.

const HIT_PX = 24;
const RATIO_TEXT = 4.5;
const RATIO_LARGE = 3; // from 24 px on, or 18.66 px and bold
const RATIO_CONTROL = 3;
const problems = [];

const label = (element) => `${element.tagName.toLowerCase()}${element.id ? `#${element.id}` : ""}.${[...element.classList].join(".")} ${JSON.stringify(element.textContent.trim().slice(0, 40))}`;
const isSeen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !element.closest(".hidden-text, .skip-link:not(:focus), [inert]");
const isOnScreen = ({ left, top, right, bottom }) => right > 0 && bottom > 0 && left < innerWidth && top < innerHeight;
const place = document.querySelector("dialog[open]") ?? document.body;
const seen = [...place.querySelectorAll("*")].filter(isSeen);

// --- colours ---

const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const known = new Map();
/** Any colour that CSS can name, as [red, green, blue, alpha]. */
function colourOf(text) {
  if (!known.has(text)) {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = text;
    pen.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = pen.getImageData(0, 0, 1, 1).data;
    known.set(text, [red, green, blue, alpha / 255]);
  }
  return known.get(text);
}

const over = (front, back) => [0, 1, 2].map((i) => front[i] * front[3] + back[i] * (1 - front[3])).concat(1);

/** What lies behind the inside of an element. */
function groundOf(element) {
  const layers = [];
  for (let at = element; at; at = at.parentElement) {
    const layer = colourOf(getComputedStyle(at).backgroundColor);
    layers.push(layer);
    if (layer[3] === 1) break;
  }
  return layers.reduceRight((ground, layer) => over(layer, ground), [255, 255, 255, 1]);
}

function opacityOf(element) {
  let opacity = 1;
  for (let at = element; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
  return opacity;
}

function ratioOf(front, back) {
  const light = ([...colour]) => {
    const [red, green, blue] = colour.slice(0, 3).map((value) => value / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [low, high] = [light(front), light(back)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

function checkText(element) {
  const style = getComputedStyle(element);
  const ground = groundOf(element);
  const [red, green, blue, alpha] = colourOf(style.color);
  const ratio = ratioOf(over([red, green, blue, alpha * opacityOf(element)], ground), ground);
  const size = parseFloat(style.fontSize);
  const wanted = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? RATIO_LARGE : RATIO_TEXT;
  if (ratio < wanted - 0.05) problems.push(`text ${ratio.toFixed(2)} to 1: ${label(element)}`);
}

/** That a control with a frame stands out from what is around it, by its frame or by its own ground. */
function checkFrame(element) {
  const style = getComputedStyle(element);
  const around = groundOf(element.parentElement);
  const own = ratioOf(groundOf(element), around);
  const frame = parseFloat(style.borderTopWidth) > 0 ? ratioOf(over(colourOf(style.borderTopColor), around), around) : 1;
  if (Math.max(own, frame) < RATIO_CONTROL) problems.push(`a control ${Math.max(own, frame).toFixed(2)} to 1: ${label(element)}`);
}

// Where the system chooses the colours, they are its business.
if (!matchMedia("(forced-colors: active)").matches) {
  const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== "");
  seen.filter((element) => hasText(element) && !element.matches("option, noscript, svg *")).forEach(checkText);
  seen.filter((element) => element.matches(".button:not([aria-disabled=true], .button--ghost, .button--link), .pill, .input, .composer, .dot")).forEach(checkFrame);
}

// --- room ---

const { scrollWidth, clientWidth } = document.documentElement;
if (scrollWidth > clientWidth) problems.push(`the page is ${scrollWidth} px wide in ${clientWidth}`);

const clips = (style, axis) => style[`overflow${axis}`] !== "visible";
for (const element of seen) {
  const style = getComputedStyle(element);
  if (style.display === "inline" || element.matches("textarea, select, .composer__field, .code-block pre")) continue;
  if (element.clientWidth > 0 && element.scrollWidth > element.clientWidth + 1 && clips(style, "X")) {
    const hasName = element.closest("[title], [aria-label]") !== null;
    if (style.textOverflow !== "ellipsis") problems.push(`cut at the side, without an ellipsis: ${label(element)}`);
    else if (!hasName) problems.push(`cut at the side, and the whole is nowhere: ${label(element)}`);
  }
  const isCutBelow = element.clientHeight > 0 && element.scrollHeight > element.clientHeight + 1 && ["hidden", "clip"].includes(style.overflowY);
  if (isCutBelow && style.webkitLineClamp === "none") problems.push(`cut below: ${label(element)}`);
}

/** The part of a box that no ancestor cuts away; null if nothing is left. */
function shownPart(element, { left, top, right, bottom }) {
  let box = { left: Math.max(left, 0), top: Math.max(top, 0), right: Math.min(right, innerWidth), bottom: Math.min(bottom, innerHeight) };
  for (let at = element; at && at !== document.documentElement; at = at.parentElement) {
    const style = getComputedStyle(at);
    if (!clips(style, "X") && !clips(style, "Y")) continue;
    const edge = at.getBoundingClientRect();
    const margin = style.overflowX === "clip" ? parseFloat(style.overflowClipMargin) || 0 : 0;
    box = { left: Math.max(box.left, edge.left - margin), top: Math.max(box.top, edge.top - margin), right: Math.min(box.right, edge.right + margin), bottom: Math.min(box.bottom, edge.bottom + margin) };
  }
  return box.right - box.left > 1 && box.bottom - box.top > 1 ? box : null;
}

/** What lies over the page as a sheet of its own, and so may cover what is below it. */
function sheetOf(element) {
  let isOpaque = false;
  for (let at = element; at; at = at.parentElement) {
    const style = getComputedStyle(at);
    isOpaque ||= colourOf(style.backgroundColor)[3] === 1;
    if (isOpaque && ["absolute", "fixed", "sticky"].includes(style.position)) return at;
  }
  return null;
}

/** Where letters stand: the middle of each line, since the boxes of two lines may touch. */
function wordsIn(element) {
  const boxes = [];
  const isScrolled = element.closest(".code-block pre") !== null;
  for (const node of element.childNodes) {
    if (node.nodeType !== Node.TEXT_NODE || node.data.trim() === "") continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const { left, top, right, bottom, height } of range.getClientRects()) {
      if (!isScrolled && (left < -1 || right > innerWidth + 1)) problems.push(`sticks out: ${label(element)}`);
      const box = shownPart(element, { left, top: top + height / 4, right, bottom: bottom - height / 4 });
      if (box) boxes.push({ element, box, sheet: sheetOf(element) });
    }
  }
  return boxes;
}

const words = seen.filter((element) => !element.matches("option, svg *")).flatMap(wordsIn);
words.forEach((one, at) => {
  for (const other of words.slice(at + 1)) {
    if (one.element === other.element || one.sheet !== other.sheet) continue;
    const width = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
    const height = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
    if (width > 1 && height > 1) problems.push(`one text over another: ${label(one.element)}, ${label(other.element)}`);
  }
});

for (const image of seen.filter((element) => element.matches("img, video, svg"))) {
  const { width, height } = getComputedStyle(image);
  if (width === "auto" || height === "auto") problems.push(`no room kept for ${label(image)}`);
}

// --- what one presses ---

const controls = seen.filter((element) => element.matches("button, a[href], input, select, textarea, [role=option]"));
for (const control of controls) {
  if (control.closest(".message__body") !== null) continue; // links in a text are as large as its letters
  const target = control.closest("label") ?? control;
  const { width, height } = target.getBoundingClientRect();
  if (width < HIT_PX || height < HIT_PX) problems.push(`${Math.round(width)} x ${Math.round(height)} px to hit: ${label(control)}`);
}

const field = document.getElementById("field");
if (place === document.body && field.checkVisibility()) {
  const { bottom, left, right } = field.closest(".composer").getBoundingClientRect();
  if (bottom > innerHeight || left < 0 || right > innerWidth) problems.push("the composer is not wholly in the window");
}

// Nothing lies over what one reads or presses, outside of the list, where the pills may.
for (const control of seen.filter((element) => element.matches("button, .header__title, .status-bar__connection, .name"))) {
  if (control.closest("#messages, .pills") || place.closest("[inert]")) continue;
  const box = shownPart(control, control.getBoundingClientRect());
  if (box === null) continue;
  const found = document.elementFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2);
  const sheet = found && sheetOf(found);
  if (sheet && !sheet.contains(control) && sheet !== sheetOf(control)) continue;
  if (found !== null && !control.contains(found) && !found.contains(control)) problems.push(`${label(found)} lies over ${label(control)}`);
}

/** That the ring around what has the focus can be told from what is behind it, and is cut off nowhere. */
function checkRing(element) {
  element.focus({ preventScroll: true });
  if (document.activeElement !== element || !element.matches(":focus-visible")) return;
  if (/^H[123]$/.test(element.tagName)) return; // focused to be read out; nothing can be done there
  const bearer = element.matches(".composer__field") ? element.closest(".composer") : element;
  const style = getComputedStyle(bearer);
  if (bearer === element && (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2)) return problems.push(`no ring around ${label(element)}`);
  const reach = bearer === element ? parseFloat(style.outlineOffset) + parseFloat(style.outlineWidth) : 1;
  const { left, top, right, bottom } = bearer.getBoundingClientRect();
  const ring = { left: left - reach, top: top - reach, right: right + reach, bottom: bottom + reach };
  if (!isOnScreen({ left, top, right, bottom }) || shownPart(element.parentElement, bearer.getBoundingClientRect()) === null) return; // scrolled away
  const isInside = shownPart(bearer.parentElement, ring);
  // A key that goes to a message brings it in, and some room above and below it.
  const edges = element.closest("[role=list][aria-label=Messages]") ? ["left", "right"] : Object.keys(ring);
  if (isInside === null || edges.some((edge) => Math.abs(isInside[edge] - ring[edge]) > 0.75)) {
    // What is half scrolled out of a list has half a ring, until it is focused by a key, which brings it in.
    const whole = shownPart(bearer.parentElement, { left, top, right, bottom });
    if (whole && Object.entries({ left, top, right, bottom }).every(([edge, value]) => Math.abs(whole[edge] - value) < 0.75)) problems.push(`the ring is cut off around ${label(element)}`);
  }
  const ratio = ratioOf(colourOf(style.outlineColor), reach > 0 ? groundOf(bearer.parentElement) : groundOf(bearer));
  if (bearer === element && ratio < RATIO_CONTROL) problems.push(`a ring of ${ratio.toFixed(2)} to 1 around ${label(element)}`);
}

const before = document.activeElement;
const isOpenList = document.querySelector(".completion:not([hidden])") !== null; // it goes with the focus
if (!isOpenList) {
  [...controls, ...seen.filter((element) => element.matches("[tabindex]"))].forEach(checkRing);
  before?.focus?.({ preventScroll: true });
}
return [...new Set(problems)];
