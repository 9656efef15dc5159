// Where one writes. Never disabled and never waiting: what is sent goes to the outbox at once, whatever
// the node is doing. What was begun is kept for this tab, one draft for each conversation of each node.

import { byId, isDialogOpen } from "../lib/dom.js";
import { t } from "../lib/texts.js";
import { keysOfTab, readOfTab, writeOfTab } from "../storage.js";

const LIMIT_BYTES = 32 * 1024;
const WARN_FROM = 0.8;
const LINES_MAX = 8;
const DRAFT_AFTER_MS = 300;

const encoder = new TextEncoder();

/** How full a message is: whether it may be sent, and what to say about it. */
export function fullness(text) {
  const bytes = encoder.encode(text).length;
  const kib = (n) => (n / 1024).toFixed(1);
  const most = LIMIT_BYTES / 1024;
  if (bytes > LIMIT_BYTES) {
    return { over: true, note: ["composer.over", { over: `${kib(bytes - LIMIT_BYTES)} KiB`, most }] };
  }
  if (bytes > LIMIT_BYTES * WARN_FROM) return { over: false, note: ["composer.limit", { used: kib(bytes), most }] };
  return { over: false, note: null };
}

/**
 * Enter sends, or with Ctrl alone if the user wants that; never while an input method is composing: its Enter only
 * chooses a word (229: Safari's order of events).
 */
export function isSendKey(event, enterSends = true) {
  if (event.key !== "Enter" || event.altKey || event.isComposing || event.keyCode === 229) return false;
  return event.ctrlKey || event.metaKey || (enterSends && !event.shiftKey);
}

export class Composer {
  #field = byId("field");
  #send = byId("send");
  #limit = byId("limit");
  #draftKey = null;
  #timer = 0;

  /**
   * `send(text)` takes what was written; `typed()` is told of each change; `keys(event)` may take a key first;
   * `enterSends()` says whether Enter alone does; `grown()` is told when the field may have another height, and
   * `kept()` when a draft was.
   */
  constructor({ send, typed, keys, enterSends, grown, kept }) {
    this.send = send;
    this.grown = grown;
    this.kept = kept;
    this.typed = typed;
    this.#field.addEventListener("keydown", (event) => {
      if (keys(event)) return;
      if (!isSendKey(event, enterSends())) return;
      event.preventDefault();
      this.submit();
    });
    this.#field.addEventListener("input", () => this.#changed());
    this.#send.addEventListener("click", () => this.submit());
    addEventListener("resize", () => this.#grow());
    addEventListener("pagehide", () => this.keep());
    document.addEventListener("keydown", (event) => this.#typeAnywhere(event));
  }

  get text() {
    return this.#field.value;
  }

  set text(text) {
    this.#field.value = text;
    this.#changed();
  }

  focus() {
    this.#field.focus();
  }

  submit() {
    const text = this.#field.value;
    if (text.trim() === "" || fullness(text).over) return this.focus();
    this.text = "";
    this.keep();
    this.send(text);
    this.focus();
  }

  /** Turns to a conversation: its name in the empty field, and what was begun there. */
  turnTo(draftKey, place) {
    this.keep();
    const carry = this.#draftKey === null ? this.text : ""; // typed before we knew where we are
    this.#draftKey = draftKey;
    this.#field.placeholder = t("composer.placeholder", { place });
    this.text = carry || readDraft(draftKey);
  }

  #changed() {
    this.#grow();
    const { over, note } = fullness(this.#field.value);
    this.#limit.textContent = note ? t(...note) : "";
    this.#limit.classList.toggle("over", over);
    if (over) this.#send.setAttribute("aria-disabled", "true");
    else this.#send.removeAttribute("aria-disabled");
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.keep(), DRAFT_AFTER_MS);
    this.typed(this.#field.value);
  }

  #grow() {
    const field = this.#field;
    const line = parseFloat(getComputedStyle(field).lineHeight);
    field.style.setProperty("height", "auto");
    const { paddingTop, paddingBottom } = getComputedStyle(field);
    const most = line * LINES_MAX + parseFloat(paddingTop) + parseFloat(paddingBottom);
    field.style.setProperty("height", `${Math.min(field.scrollHeight, most)}px`);
    this.grown(); // also where it is as high as before: while it was measured the messages had more room
  }

  /** Keeps what stands in the field as the draft of its conversation. */
  keep() {
    clearTimeout(this.#timer);
    if (this.#draftKey === null) return;
    keepDraft(this.#draftKey, this.text);
    this.kept();
  }

  /** A draft of the open conversation came from elsewhere: it is shown if nothing was begun here. */
  adopt() {
    if (this.text === "" && this.#draftKey !== null) this.text = readDraft(this.#draftKey);
  }

  /** A character typed with nothing in particular focused belongs here. Never one that a control wants. */
  #typeAnywhere(event) {
    const isHeld = (event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph");
    if (event.defaultPrevented || isHeld || event.isComposing) return;
    if (event.key.length !== 1 || event.key === " " || isDialogOpen()) return;
    const focused = document.activeElement;
    const idle = focused === document.body || (focused.closest("#messages") && !focused.closest("a, button, input"));
    if (idle) this.focus(); // the character follows by itself
  }
}

// --- drafts ---

export const draftKey = (node, conversation) => `roomful.draft.${node}.${conversation}`;

export const readDraft = (key) => readOfTab(key) ?? "";

/** Where storage is forbidden or full the draft lives as long as the page. */
export const keepDraft = (key, text) => writeOfTab(key, text === "" ? null : text);

/** Everything that was begun in this tab, for a node, by conversation. */
export function allDrafts(node) {
  const prefix = draftKey(node, "");
  return Object.fromEntries(keysOfTab(prefix).map((key) => [key.slice(prefix.length), readDraft(key)]));
}
