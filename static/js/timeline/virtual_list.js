// The list of messages: draws a window of the rows it is given and keeps what is read where it is. Two rules: at the end
// it stays at the end, whatever grows; anywhere else nothing that is visible moves. The browser's own scroll anchoring
// does half of this and fights the other half, so it is off.

import { byId } from "../lib/dom.js";
import { sameRow } from "./build_rows.js";
import { drawRow, makeRow } from "./row.js";
import { firstBelow, readAnchor } from "./scroll_anchor.js";
import { trackUserScroll } from "./user_scroll.js";

const ROWS = 300; // how many are in the document
const ROWS_MAX = 400; // at most, while they gather at the end
const ROWS_FIRST_MAX = 80; // how many are drawn at once; the others follow when the page is at rest
const ROWS_SPARE = 12; // those of them that are not in sight, so that a first turn of the wheel finds them
const ROW_PX_MIN = 26;
const REST_MS = 150; // after this long without a drawing the page is at rest
const STEP = 40; // how many the window then grows by, or moves by when one scrolls: what can be drawn between two frames
const CONTEXT = 100; // rows that are drawn above one that is jumped to
const EDGE_PX = 1000;
const STICK_PX = 48;
const FLASH_MS = 2000;

export class VirtualList {
  #scroller = byId("messages");
  #list = byId("list");
  #rows = [];
  #start = 0; // the window [start, end) of rows that are in the document
  #end = 0;
  #drawn = new Map(); // key -> { element, row }
  #followsEnd = true;
  #anchor = null; // { key, top }: the row that must not move
  #positions = new Map(); // conversation -> where it was left
  #open = null;
  #leftAt = 0; // the newest arrival when the end was left: what came since is new
  #height = 0;
  #rowsFirst = ROWS_FIRST_MAX;
  #resting = 0; // the timer after which more rows are drawn
  #unreadInfo = { isTail: true, unread: 0, late: [] };
  #isByUser; // whether the user moves the messages right now
  #listeners = [];
  /** Functions that draw what stands before the rows, at the moment when nothing is seen to move. */
  beforeDraw = [];

  /** `act(id, row, part)` is what a row's buttons do; `edge("older" | "newer")` is told of an edge that is near. */
  constructor({ keyboard, act, edge }) {
    this.edge = edge;
    this.#isByUser = trackUserScroll(this.#scroller, keyboard);
    this.#list.addEventListener("click", ({ target }) => {
      const part = target.closest("[data-act]");
      if (part) act(part.dataset.act, this.rowOf(part.closest(".row").dataset.key), part);
    });
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    const sizes = new ResizeObserver(() => {
      this.#measure();
      this.hold();
    });
    this.#measure();
    sizes.observe(this.#scroller);
    sizes.observe(this.#list);
  }

  /** Rows end where the composer does, which no scroll bar takes room from. A unit of CSS for this would lay out twice. */
  #measure() {
    this.#rowsFirst = Math.min(ROWS_FIRST_MAX, Math.ceil(this.#scroller.clientHeight / ROW_PX_MIN) + ROWS_SPARE);
    const bar = `${this.#scroller.offsetWidth - this.#scroller.clientWidth}px`;
    const { style } = this.#scroller;
    if (style.getPropertyValue("--bar") !== bar) style.setProperty("--bar", bar);
  }

  /** Tells a function, now and after each change, that other rows are in sight or stand elsewhere. */
  watch(listener) {
    this.#listeners.push(listener);
    listener();
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }

  get atEnd() {
    return this.#followsEnd;
  }

  /** Whether the last row that is drawn is the newest there is. */
  get isWhole() {
    return this.#end === this.#rows.length && this.#unreadInfo.isTail;
  }

  /**
   * Shows these rows. Another `conversation` than before opens where it was left, or where reading stopped.
   * `unreadInfo`: whether the rows go on to the newest, how many are unread, and the ids of those that came late.
   */
  show(conversation, rows, unreadInfo) {
    this.#unreadInfo = unreadInfo;
    if (!unreadInfo.isTail) this.#followsEnd = false;
    const changed = conversation !== this.#open;
    if (changed) this.#turnTo(conversation);
    if (!changed) this.#anchor = readAnchor(this.#scroller, this.#list); // a conversation just opened brings its own
    const isTop = this.#start === 0 && this.#rows[0]?.key === "begin";
    const before = {
      isTop,
      start: this.#start,
      anchor: this.#indexOfAnchor(),
      atLast: this.#end === this.#rows.length,
    };
    this.#rows = rows;
    if (changed && this.#indexOfAnchor() < 0) this.#followsEnd = unreadInfo.isTail; // what was read there is not loaded any more
    this.#placeWindow(before);
    if (!this.#followsEnd && !changed) this.#shift(); // at the very edge no move would tell that more has come
    for (const draw of this.beforeDraw) draw();
    this.#draw();
    this.hold();
    if (!this.#followsEnd && changed) this.#extend();
    if (changed && this.#followsEnd) this.#openAtLine();
    this.#tell();
    this.#growAtRest();
  }

  /** Draws what was left out above the end, so that scrolling finds it there. */
  #growAtRest() {
    clearTimeout(this.#resting);
    if (!this.#isShort()) return;
    this.#resting = setTimeout(() => {
      if (!this.#isShort()) return;
      this.#start = Math.max(0, this.#start - STEP, this.#end - ROWS);
      this.#draw();
      this.hold();
      this.#growAtRest();
    }, REST_MS);
  }

  #isShort() {
    return this.#followsEnd && this.#start > 0 && this.#end - this.#start < ROWS;
  }

  /** A conversation with more unread than fits begins with the first of them. */
  #openAtLine() {
    const line = this.#rows.findIndex((row) => row.type === "new");
    if (line < 0) return;
    const isDrawn = line >= this.#start;
    this.#bring(line);
    const element = this.#drawn.get(this.#rows[line].key).element;
    const scroller = this.#scroller;
    const above = element.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
    if (isDrawn && above >= 0) return;
    this.#leave();
    scroller.scrollTop += above - scroller.clientHeight / 5;
    this.#settle();
  }

  // --- the window ---

  /** Draws all rows anew: they got another part. */
  redraw() {
    for (const { element, row } of this.#drawn.values()) drawRow(element, row);
    this.hold();
  }

  /** Shows nothing, until rows are shown. */
  empty() {
    this.#turnTo(null);
  }

  #turnTo(conversation) {
    if (this.#open !== null)
      this.#positions.set(this.#open, { followsEnd: this.#followsEnd, anchor: readAnchor(this.#scroller, this.#list) });
    const position = this.#positions.get(conversation);
    this.#open = conversation;
    this.#followsEnd = position?.followsEnd ?? true;
    this.#anchor = position?.anchor ?? null;
    this.#leftAt = Infinity;
    for (const { element } of this.#drawn.values()) element.remove();
    this.#drawn.clear();
    this.#rows = [];
    this.#start = this.#end = 0;
  }

  #indexOfAnchor() {
    return this.#anchor === null ? -1 : this.#rows.findIndex((row) => row.key === this.#anchor.key);
  }

  /** `isTop`: the beginning of the conversation is drawn; what comes late below it must not push it out. */
  #placeWindow({ start, anchor, atLast, isTop }) {
    const count = this.#rows.length;
    if (this.#followsEnd) {
      // Keeps what is drawn, so that the end only grows; and lets go of the top now and then.
      this.#end = count;
      const now = anchor < 0 ? -1 : this.#indexOfAnchor();
      const kept = isTop ? 0 : now < 0 ? count - this.#rowsFirst : start + now - anchor;
      const isFlood = this.#rows.slice(-this.#rowsFirst).every(({ key }) => !this.#drawn.has(key));
      this.#start = Math.max(0, isFlood ? count - this.#rowsFirst : count - kept > ROWS_MAX ? count - ROWS : kept);
      return;
    }
    const now = this.#indexOfAnchor();
    const kept = anchor < 0 ? now - CONTEXT : start + now - anchor;
    this.#start = Math.max(0, now < 0 ? count - ROWS : kept);
    const wanted = atLast ? count : this.#start + Math.max(this.#end - start, ROWS);
    this.#end = Math.min(count, this.#start + ROWS_MAX, wanted);
  }

  /** Moves the window towards an edge that is near. Answers whether it moved. */
  #shift() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    if (scrollTop < EDGE_PX && this.#start > 0) {
      this.#start = Math.max(0, this.#start - STEP);
      this.#end = Math.min(this.#end, this.#start + ROWS);
      return true;
    }
    if (scrollHeight - clientHeight - scrollTop < EDGE_PX && this.#end < this.#rows.length) {
      this.#end = Math.min(this.#rows.length, this.#end + STEP);
      this.#start = Math.max(this.#start, this.#end - ROWS);
      return true;
    }
    return false;
  }

  #draw() {
    const wanted = this.#rows.slice(this.#start, this.#end);
    const keys = new Set(wanted.map((row) => row.key));
    const focused = this.#list.contains(document.activeElement) ? document.activeElement.closest(".row") : null;
    const neighbour = focused?.nextElementSibling ?? focused?.previousElementSibling;
    for (const [key, { element }] of this.#drawn) {
      if (keys.has(key)) continue;
      element.remove();
      this.#drawn.delete(key);
    }
    const elements = wanted.map((row) => this.#elementOf(row)); // which takes away those of rows that became others
    let cursor = this.#list.firstElementChild;
    for (const element of elements) {
      if (element === cursor) cursor = cursor.nextElementSibling;
      else this.#list.insertBefore(element, cursor);
    }
    if (!focused || focused.isConnected) return;
    (neighbour?.isConnected ? neighbour : this.#scroller).focus({ preventScroll: true });
  }

  #elementOf(row) {
    let drawn = this.#drawn.get(row.key);
    if (drawn && drawn.row.type !== row.type) {
      drawn.element.remove();
      drawn = undefined;
    }
    if (!drawn) {
      drawn = { element: makeRow(row), row: null };
      this.#drawn.set(row.key, drawn);
    }
    if (drawn.row === null || !sameRow(drawn.row, row)) drawRow(drawn.element, row);
    drawn.row = row;
    return drawn.element;
  }

  // --- holding still ---

  /** Puts the end back to the end, or the anchor back to where it was, after anything changed its size. */
  hold() {
    const scroller = this.#scroller;
    if (this.#followsEnd) {
      // With nothing said yet the scene above is what one reads, from its beginning.
      scroller.scrollTop = this.#rows.some((row) => row.type === "message") ? scroller.scrollHeight : 0;
    } else if (this.#anchor !== null) {
      const element = this.#drawn.get(this.#anchor.key)?.element;
      if (element) {
        const top = element.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
        if (Math.abs(top - this.#anchor.top) > 0.5) scroller.scrollTop += top - this.#anchor.top;
      }
    }
    this.#height = scroller.scrollHeight - scroller.clientHeight;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const height = scrollHeight - clientHeight;
    // A scroll that comes with a change of size is the browser's own doing, and says nothing of the reader.
    if (Math.abs(height - this.#height) > 1) return;
    const atEnd = height - scrollTop <= STICK_PX && this.#end === this.#rows.length;
    const followsEnd = (atEnd && this.#unreadInfo.isTail) || (this.#followsEnd && !this.#isLeaving(height - scrollTop));
    if (!followsEnd) this.#leave();
    this.#followsEnd = followsEnd;
    this.#anchor = readAnchor(this.#scroller, this.#list);
    this.#extend();
    if (this.#start === 0 && scrollTop < EDGE_PX && !followsEnd) this.edge("older");
    if (!this.#unreadInfo.isTail && this.#end === this.#rows.length && height - scrollTop < EDGE_PX) this.edge("newer");
    this.#tell();
  }

  /** Draws more of the rows where an edge of what is drawn is near. */
  #extend() {
    if (!this.#shift()) return;
    this.#draw();
    this.hold();
  }

  /**
   * Whether a move away from the end is meant: by the user; or by more than a screen, which no change of size
   * does but what finds things for the reader (the browser's search, a screen reader).
   */
  #isLeaving(gap) {
    return this.#isByUser() || gap > this.#scroller.clientHeight;
  }

  toEnd() {
    this.#followsEnd = true;
    this.#end = this.#rows.length;
    const isNear = this.#drawn.has(this.#rows.at(-2)?.key);
    this.#start = Math.max(0, this.#end - (isNear ? ROWS : this.#rowsFirst));
    this.#draw();
    this.hold();
    this.#tell();
    this.#growAtRest();
  }

  /** Brings a row to the middle, wherever it is, or to `top` pixels below the edge, and focuses it. Answers whether it is there. */
  toRow(key, top) {
    const index = this.#rows.findIndex((row) => row.key === key);
    if (index < 0) return false;
    this.#bring(index);
    if (this.#scroller.scrollHeight > this.#scroller.clientHeight) this.#leave(); // else the end is in sight as well
    const { element } = this.#drawn.get(key);
    element.scrollIntoView({ block: "center" });
    if (top !== undefined) {
      this.#anchor = { key, top };
      this.hold();
    }
    element.focus({ preventScroll: true });
    element.classList.add("row--flash");
    setTimeout(() => element.classList.remove("row--flash"), FLASH_MS);
    this.#settle();
    return true;
  }

  /** Runs `draw`, which unfolds or folds a row: its beginning stays where it is, or comes back into sight. */
  refold(key, draw) {
    const scroller = this.#scroller;
    const topOf = () => this.#drawn.get(key).element.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
    const top = Math.max(0, topOf());
    this.#leave();
    draw();
    scroller.scrollTop += topOf() - top;
    const gap = scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
    this.#followsEnd = gap <= STICK_PX && this.isWhole;
    this.#settle();
  }

  /** Sees to it that a row is in the document. */
  #bring(index) {
    if (index >= this.#start && index < this.#end) return;
    this.#start = Math.max(0, index - CONTEXT);
    this.#end = Math.min(this.#rows.length, this.#start + ROWS);
    this.#draw();
  }

  #leave() {
    if (this.#followsEnd) this.#leftAt = this.#newestArrival();
    this.#followsEnd = false;
  }

  /** Takes note of where things stand after a move of our own. */
  #settle() {
    this.#height = this.#scroller.scrollHeight - this.#scroller.clientHeight;
    this.#anchor = readAnchor(this.#scroller, this.#list);
    this.#tell();
  }

  /** The ids of the messages of which at least half, or as much as fits, is in sight. */
  visible() {
    const { top, bottom } = this.#scroller.getBoundingClientRect();
    const ids = [];
    for (let i = firstBelow(this.#list, top); i < this.#list.children.length; i += 1) {
      const element = this.#list.children[i];
      const box = element.getBoundingClientRect();
      if (box.top >= bottom) break;
      const { message } = this.#drawn.get(element.dataset.key).row;
      const shown = Math.min(box.bottom, bottom) - Math.max(box.top, top);
      if (message?.id && shown >= Math.min(box.height, bottom - top) / 2) ids.push(message.id);
    }
    return ids;
  }

  /** The id of the first message that is seen, or null, and how far below the edge it begins, in pixels. */
  firstVisible() {
    const anchor = readAnchor(this.#scroller, this.#list);
    return { id: this.rowOf(anchor?.key)?.message?.id ?? null, top: anchor?.top };
  }

  keyOf(id) {
    return this.#rows.find((row) => row.message?.id === id)?.key;
  }

  rowOf(key) {
    return this.#drawn.get(key)?.row;
  }

  // --- for the pills ---

  /** All rows of the open conversation, drawn or not. */
  get rows() {
    return this.#rows;
  }

  get info() {
    return this.#unreadInfo;
  }

  /** How many messages of others came since the end was left. */
  get newCount() {
    const left = this.#rows.findLastIndex((row) => row.message?.arrival <= this.#leftAt); // what came late stands above
    return this.#rows.slice(left + 1).filter((row) => row.type === "message" && !row.isOwn).length;
  }

  /** Whether a row stands above what is in sight. */
  isAbove(index) {
    if (index < this.#start) return true;
    const element = this.#drawn.get(this.#rows[index].key)?.element;
    return element !== undefined && element.getBoundingClientRect().bottom < this.#scroller.getBoundingClientRect().top;
  }

  #newestArrival() {
    const arrivals = this.#rows.map(({ message }) => message?.arrival ?? 0).filter((arrival) => arrival < Infinity);
    return arrivals.reduce((max, arrival) => Math.max(max, arrival), 0);
  }
}
