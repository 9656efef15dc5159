// The list of messages: draws a window of the rows it is given and keeps what one reads where it is.
// Two rules: at the end it stays at the end, whatever grows; anywhere else nothing that is visible
// moves. The browser's own scroll anchoring does half of this and fights the other half, so it is off.

import { sameRow } from "../rows.js";
import { byId, setText } from "../lib/dom.js";
import { t } from "../lib/texts.js";
import { drawRow, makeRow } from "./row.js";

const ROWS = 300; // how many are in the document
const ROWS_MAX = 400; // at most, while they gather at the end
const ROWS_FIRST = 80; // how many are drawn at once; the others follow when the page is at rest
const REST_MS = 150; // after this long without a drawing the page is at rest
const STEP = 40; // how many the window then grows by, or moves by when one scrolls: what can be drawn between two frames
const CONTEXT = 100; // rows that are drawn above one that is jumped to
const EDGE_PX = 1000;
const STICK_PX = 48;
const FLASH_MS = 2000;

export class Timeline {
  #scroller = byId("messages");
  #list = byId("list");
  #pillNewest = byId("pill-newest");
  #pillUnread = byId("pill-unread");
  #pillLate = byId("pill-late");
  #rows = [];
  #start = 0; // the window [start, end) of rows that are in the document
  #end = 0;
  #drawn = new Map(); // key -> { element, row }
  #stuck = true;
  #anchor = null; // { key, top }: the row that must not move
  #places = new Map(); // conversation -> where it was left
  #open = null;
  #leftAt = 0; // the newest arrival when the end was left: what came since is new
  #height = 0;
  #resting = 0; // the timer after which more rows are drawn
  #news = { isTail: true, unread: 0, late: [] };
  /** Whether the reader moves the messages right now; hand.js knows once it is loaded. */
  isByHand = () => false;

  /**
   * `edge("older" | "newer")` loads a page, `act(name, row)` is what a row's buttons do, `moved()` is told after each
   * move; `newest()` and `jump(id)` go to a place that may not be loaded.
   */
  constructor({ edge, act, moved, newest, jump }) {
    Object.assign(this, { edge, moved });
    this.#list.addEventListener("click", ({ target }) => {
      const part = target.closest("[data-act]");
      if (part) act(part.dataset.act, this.rowOf(part.closest(".row").dataset.key));
    });
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#pillNewest.addEventListener("click", newest);
    this.#pillLate.addEventListener("click", () => jump(this.#lateAbove()[0]));
    this.#pillUnread.addEventListener("click", () => this.#toLine());
    const sizes = new ResizeObserver(() => {
      this.#measureBar();
      this.hold();
    });
    sizes.observe(this.#scroller);
    sizes.observe(this.#list);
  }

  /** Rows end where the composer does, which no scroll bar takes room from. A unit of CSS for this would lay out twice. */
  #measureBar() {
    const bar = `${this.#scroller.offsetWidth - this.#scroller.clientWidth}px`;
    const { style } = this.#scroller;
    if (style.getPropertyValue("--bar") !== bar) style.setProperty("--bar", bar);
  }

  get atEnd() {
    return this.#stuck;
  }

  /** Whether the last row that is drawn is the newest there is. */
  get isWhole() {
    return this.#end === this.#rows.length && this.#news.isTail;
  }

  /**
   * Shows these rows. Another `conversation` than before opens where it was left, or where reading stopped.
   * `news`: whether the rows go on to the newest, how many are unread, and the ids of those that came late.
   */
  show(conversation, rows, news, scene = null) {
    this.#news = news;
    if (!news.isTail) this.#stuck = false;
    const changed = conversation !== this.#open;
    if (changed) this.#turnTo(conversation);
    if (!changed) this.#anchor = this.#readAnchor(); // a conversation just opened brings its own
    const isTop = this.#start === 0 && this.#rows[0]?.key === "begin";
    const before = { isTop, start: this.#start, anchor: this.#indexOfAnchor(), atLast: this.#end === this.#rows.length };
    this.#rows = rows;
    if (changed && this.#indexOfAnchor() < 0) this.#stuck = news.isTail; // what was read there is not loaded any more
    this.#placeWindow(before);
    if (!this.#stuck && !changed) this.#shift(); // at the very edge no move would tell that more has come
    scene?.();
    this.#draw();
    this.hold();
    if (!this.#stuck && changed) this.#extend();
    if (changed && this.#stuck) this.#openAtLine();
    this.#updatePills();
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
    return this.#stuck && this.#start > 0 && this.#end - this.#start < ROWS;
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

  /** Shows nothing, until rows are shown. */
  empty() {
    this.#turnTo(null);
  }

  #turnTo(conversation) {
    if (this.#open !== null) this.#places.set(this.#open, { stuck: this.#stuck, anchor: this.#readAnchor() });
    const place = this.#places.get(conversation);
    this.#open = conversation;
    this.#stuck = place?.stuck ?? true;
    this.#anchor = place?.anchor ?? null;
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
    if (this.#stuck) {
      // Keeps what is drawn, so that the end only grows; and lets go of the top now and then.
      this.#end = count;
      const now = anchor < 0 ? -1 : this.#indexOfAnchor();
      const kept = isTop ? 0 : now < 0 ? count - ROWS_FIRST : start + now - anchor;
      const isFlood = this.#rows.slice(-ROWS_FIRST).every(({ key }) => !this.#drawn.has(key));
      this.#start = Math.max(0, isFlood ? count - ROWS_FIRST : count - kept > ROWS_MAX ? count - ROWS : kept);
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

  /** The place in the list of the first row that reaches below `top`. */
  #firstBelow(top) {
    const rows = this.#list.children;
    let low = 0;
    let high = rows.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle].getBoundingClientRect().bottom > top) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Which row is read, and where it stands. */
  #readAnchor() {
    const { top } = this.#scroller.getBoundingClientRect();
    // A row for a day or a fold may not outlive the change; a message does.
    let element = this.#list.children[this.#firstBelow(top)];
    while (element?.nextElementSibling && !element.classList.contains("message")) element = element.nextElementSibling;
    return element ? { key: element.dataset.key, top: element.getBoundingClientRect().top - top } : null;
  }

  /** Puts the end back to the end, or the anchor back to where it was, after anything changed its size. */
  hold() {
    const scroller = this.#scroller;
    if (this.#stuck) {
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
    const stuck = (atEnd && this.#news.isTail) || (this.#stuck && !this.#isLeaving(height - scrollTop));
    if (!stuck) this.#leave();
    this.#stuck = stuck;
    this.#anchor = this.#readAnchor();
    this.#extend();
    if (this.#start === 0 && scrollTop < EDGE_PX && !stuck) this.edge("older");
    if (!this.#news.isTail && this.#end === this.#rows.length && height - scrollTop < EDGE_PX) this.edge("newer");
    this.#updatePills();
    this.moved();
  }

  /** Draws more of the rows where an edge of what is drawn is near. */
  #extend() {
    if (!this.#shift()) return;
    this.#draw();
    this.hold();
  }

  /**
   * Whether a move away from the end is meant: by the reader's hand; or by more than a screen, which no change of size
   * does but what finds things for the reader (the browser's search, a screen reader).
   */
  #isLeaving(gap) {
    return this.isByHand() || gap > this.#scroller.clientHeight;
  }

  toEnd() {
    this.#stuck = true;
    this.#end = this.#rows.length;
    const isNear = this.#drawn.has(this.#rows.at(-2)?.key);
    this.#start = Math.max(0, this.#end - (isNear ? ROWS : ROWS_FIRST));
    this.#draw();
    this.hold();
    this.#updatePills();
    this.#growAtRest();
    this.moved();
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
    element.classList.add("flash");
    setTimeout(() => element.classList.remove("flash"), FLASH_MS);
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
    this.#stuck = gap <= STICK_PX && this.isWhole;
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
    if (this.#stuck) this.#leftAt = this.#newestArrival();
    this.#stuck = false;
  }

  /** Takes note of where things stand after a move of our own. */
  #settle() {
    this.#height = this.#scroller.scrollHeight - this.#scroller.clientHeight;
    this.#anchor = this.#readAnchor();
    this.#updatePills();
    this.moved();
  }

  /** The ids of the messages of which at least half, or as much as fits, is in sight. */
  visible() {
    const { top, bottom } = this.#scroller.getBoundingClientRect();
    const ids = [];
    for (let i = this.#firstBelow(top); i < this.#list.children.length; i += 1) {
      const element = this.#list.children[i];
      const box = element.getBoundingClientRect();
      if (box.top >= bottom) break;
      const { row } = this.#drawn.get(element.dataset.key);
      const shown = Math.min(box.bottom, bottom) - Math.max(box.top, top);
      if (row.type === "message" && shown >= Math.min(box.height, bottom - top) / 2) ids.push(row.id);
    }
    return ids;
  }

  /** The id of the first message that is seen, or null, and how far below the edge it begins, in pixels. */
  firstVisible() {
    const anchor = this.#readAnchor();
    return { id: this.#rows.find((row) => row.key === anchor?.key)?.id ?? null, top: anchor?.top };
  }

  keyOf(id) {
    return this.#rows.find((row) => row.id === id)?.key;
  }

  rowOf(key) {
    return this.#drawn.get(key)?.row;
  }

  // --- pills ---

  #newestArrival() {
    return this.#rows.reduce((max, row) => (row.arrival < Infinity ? Math.max(max, row.arrival) : max), 0);
  }

  #updatePills() {
    const { isTail, unread } = this.#news;
    const left = this.#rows.findLastIndex((row) => row.arrival <= this.#leftAt); // what came late stands above it
    const fresh = isTail ? this.#rows.slice(left + 1).filter(isHeard).length : unread;
    this.#pillNewest.hidden = this.#stuck;
    label(this.#pillNewest, fresh > 0 ? "pill.newestNew" : "pill.newest", fresh);

    const late = this.#lateAbove().length;
    this.#pillLate.hidden = late === 0;
    label(this.#pillLate, "pill.late", late);

    const line = this.#rows.findIndex((row) => row.type === "new");
    this.#pillUnread.hidden = line < 0 || unread <= late || !this.#isAbove(line);
    setText(this.#pillUnread, t("pill.unread", { n: unread - late }));
  }

  #isAbove(index) {
    if (index < this.#start) return true;
    const element = this.#drawn.get(this.#rows[index].key)?.element;
    return element !== undefined && element.getBoundingClientRect().bottom < this.#scroller.getBoundingClientRect().top;
  }

  /** Those of the late ones that stand above what one reads, loaded or not. */
  #lateAbove() {
    if (this.#news.late.length === 0) return [];
    const places = new Map(this.#rows.map((row, index) => [row.id, index]));
    return this.#news.late.filter((id) => !places.has(id) || this.#isAbove(places.get(id)));
  }

  #toLine() {
    const line = this.#rows.find((row) => row.type === "new");
    if (line) this.toRow(line.key);
  }
}

/** A pill says where it leads, and shows as much of that as there is room for. */
function label(pill, key, n) {
  const [full, brief] = pill.children;
  setText(full, t(key, { n }));
  setText(brief, t(`${key}.brief`, { n }));
}

/** Whether somebody else said this. */
const isHeard = (row) => row.type === "message" && !row.own;
