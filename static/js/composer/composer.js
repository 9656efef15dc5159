// Where messages are written. Never disabled and never waiting: what is sent goes to the outbox at once, whatever the
// node is doing.

import { byId, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { conversationName } from "../model/conversations.js";
import { draftOf, keepDraft, setDraft } from "../model/storage/drafts.js";
import { clearHint } from "../model/hints.js";
import { setComposerMode } from "../model/ui.js";
import { modeOf } from "./modes.js";

const WARN_FROM = 0.8;
const LINES_MAX = 8;
const DRAFT_AFTER_MS = 300;

/** What stands for the attached files until that part is loaded: there are none. */
const NO_ATTACHMENTS = { hasAny: (_) => false, isReady: (_) => true, take: (_) => ({}) };

const encoder = new TextEncoder();

/** How full a message is: whether it may be sent, and what to say about it. `limit` is null before the node told it. */
export function fullness(text, limit) {
  if (limit === null) return { over: false, note: null };
  const bytes = encoder.encode(text).length;
  const kib = (n) => (n / 1024).toFixed(1);
  const most = limit / 1024;
  if (bytes > limit) {
    return { over: true, note: ["composer.over", { over: `${kib(bytes - limit)} KiB`, most }] };
  }
  if (bytes > limit * WARN_FROM) return { over: false, note: ["composer.limit", { used: kib(bytes), most }] };
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
  #app;
  #field = byId("field");
  #send = byId("send");
  #limit = byId("limit");
  #banner = byId("composer-banner");
  #conversation;
  #timer = 0;
  /** The commands that are being run, or null: their part may still be loading. */
  #commands = null;
  /** Functions that may take a key of the field first: `(event) => boolean`. */
  keyHandlers = [];
  /** The files that go with the next message. */
  attachments = NO_ATTACHMENTS;
  /** Functions that are told of each change of the text. */
  inputHandlers = [];

  constructor(app) {
    this.#app = app;
    this.#conversation = app.state.route.conversation;
    this.#field.addEventListener("keydown", (event) => this.#onKey(event));
    this.#field.addEventListener("input", () => this.#changed());
    this.#send.addEventListener("click", () => this.submit());
    this.#banner.querySelector("button").addEventListener("click", () => this.leave());
    addEventListener("resize", () => this.#grow());
    addEventListener("pagehide", () => this.keep());
    app.keyboard.add({
      when: (event) => this.#isTypedAnywhere(event),
      run: () => this.focus(),
      prevents: false,
      order: 9,
    });
    app.views.add({ topics: ["route", "members", "session"], draw: () => this.#drawPlace() });
    app.views.add({ topics: ["composer"], draw: () => this.#drawBanner() });
    if (this.text !== "") this.#changed(); // typed before this ran, or kept by the browser
  }

  get text() {
    return this.#field.value;
  }

  set text(text) {
    this.#field.value = text;
    this.#changed();
  }

  /** What is before and behind the caret. */
  get caret() {
    return this.#field.selectionStart;
  }

  focus() {
    this.#field.focus();
  }

  /** Replaces a part of the text, as if it was typed, with the caret behind it. */
  replace(start, end, text) {
    this.#field.setRangeText(text, start, end, "end");
    this.#changed();
  }

  submit() {
    const { state } = this.#app;
    const text = this.text.trim() === "" ? "" : this.text;
    const mode = state.ui.composerMode;
    const { submit, takesCommands, keepsDraft } = modeOf(state);
    const hasFiles = keepsDraft && this.attachments.hasAny(this.#conversation);
    if (text === "" && !hasFiles) return this.focus();
    if (fullness(text, state.session.limits?.text_bytes ?? null).over) return this.focus();
    if (hasFiles && !this.attachments.isReady(this.#conversation)) {
      this.#app.toast(t("files.wait"));
      return this.focus();
    }
    if (keepsDraft) this.text = "";
    this.leave();
    this.keep();
    clearHint(state, this.#conversation);
    this.#app.views.touch("hints");
    const isCommand = takesCommands && text.startsWith("/");
    if (isCommand) this.#queue(() => this.#run(text));
    else if (this.#commands) this.#queue(() => submit(this.#app, text, mode));
    else submit(this.#app, text, mode);
    this.focus();
  }

  /** Does something after the commands before it: what follows `/join` belongs into that channel. */
  #queue(run) {
    const done = (this.#commands ?? Promise.resolve()).then(run).finally(() => {
      if (this.#commands === done) this.#commands = null;
    });
    this.#commands = done;
  }

  async #run(line) {
    const restore = () => {
      this.text = line; // its part could not be loaded: nothing is lost, and it can be tried again
    };
    try {
      const [{ run }] = await Promise.all([import("./command_handlers.js"), this.#app.load()]);
      Promise.resolve(run(this.#app, line)).catch(restore); // not awaited: a command may take long
    } catch {
      restore();
    }
  }

  // --- modes ---

  /** Enters a mode, such as `{ type: "reply", id }`. */
  enter(mode) {
    const { state, views } = this.#app;
    this.leave();
    setComposerMode(state, mode);
    const { begin } = modeOf(state);
    if (begin) this.text = begin(this.#app, mode);
    views.touch("composer");
    this.focus();
  }

  /** Leaves the mode. Returns whether there was one to leave. */
  leave() {
    const { state, views } = this.#app;
    if (state.ui.composerMode.type === "compose") return false;
    const { keepsDraft } = modeOf(state);
    setComposerMode(state, { type: "compose" });
    if (!keepsDraft) this.text = draftOf(state, this.#conversation);
    views.touch("composer");
    return true;
  }

  #drawBanner() {
    const { state } = this.#app;
    const banner = modeOf(state).banner?.(this.#app, state.ui.composerMode) ?? null;
    this.#banner.hidden = banner === null;
    setText(this.#banner.firstElementChild, banner ?? "");
    setText(this.#send, t(modeOf(state).button ?? "composer.send"));
    this.#app.timeline.hold();
  }

  // --- text and drafts ---

  /** Turns to the open conversation: what was begun there. */
  openConversation() {
    const { state, views } = this.#app;
    this.keep();
    this.#conversation = state.route.conversation;
    const draft = draftOf(state, this.#conversation);
    if (draft !== this.text) this.text = draft;
    this.#drawPlace();
    views.touch("composer");
  }

  /** A draft of the open conversation came from elsewhere: it is shown if nothing was begun here. */
  adopt() {
    const draft = draftOf(this.#app.state, this.#conversation);
    if (this.text === "" && draft !== "") this.text = draft;
  }

  /** Keeps what stands in the field as the draft of its conversation. */
  keep() {
    clearTimeout(this.#timer);
    keepDraft(this.#app.state, this.#conversation);
    this.#app.outbox.saveDrafts();
  }

  #drawPlace() {
    const { state } = this.#app;
    if (state.session.me === null) return;
    const placeholder = t("composer.placeholder", { place: conversationName(state, state.route.conversation) });
    if (this.#field.placeholder !== placeholder) this.#field.placeholder = placeholder;
  }

  #changed() {
    const { state } = this.#app;
    if (modeOf(state).keepsDraft) setDraft(state, this.#conversation, this.text);
    this.#grow();
    const { over, note } = fullness(this.text, state.session.limits?.text_bytes ?? null);
    this.#limit.textContent = note ? t(...note) : "";
    this.#limit.classList.toggle("status-bar__limit--over", over);
    if (over) this.#send.setAttribute("aria-disabled", "true");
    else this.#send.removeAttribute("aria-disabled");
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.keep(), DRAFT_AFTER_MS);
    for (const tell of this.inputHandlers) tell(this.text);
  }

  #grow() {
    const field = this.#field;
    const line = parseFloat(getComputedStyle(field).lineHeight);
    field.style.setProperty("height", "auto");
    const { paddingTop, paddingBottom } = getComputedStyle(field);
    const most = line * LINES_MAX + parseFloat(paddingTop) + parseFloat(paddingBottom);
    field.style.setProperty("height", `${Math.min(field.scrollHeight, most)}px`);
    // Also where it is as high as before: while it was measured the messages had more room.
    this.#app.timeline.hold();
  }

  // --- keys ---

  #onKey(event) {
    if (this.keyHandlers.some((takes) => takes(event))) return;
    if (event.key === "Escape" && !event.isComposing && this.leave()) {
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    if (!isSendKey(event, this.#app.state.settings.enterSends)) return;
    event.preventDefault();
    this.submit();
  }

  /** A character typed with nothing in particular focused belongs here. Never one that a control wants. */
  #isTypedAnywhere(event) {
    const isHeld = (event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph");
    if (isHeld || event.key.length !== 1 || event.key === " ") return false;
    const focused = document.activeElement;
    // The character follows by itself.
    return focused === document.body || (focused.closest("#messages") && !focused.closest("a, button, input"));
  }
}
