// The list of messages: draws a window of the rows it is given and keeps what one reads where it is.
// Two rules: at the end it stays at the end, whatever grows; anywhere else nothing that is visible
// moves. The browser's own scroll anchoring does half of this and fights the other half, so it is off.

import { sameRow } from "../rows.js";
import { byId } from "../lib/dom.js";
import { t } from "../lib/texts.js";
import { drawRow, makeRow } from "./row.js";

const ROWS_MAX = 400;
const ROWS_AT_END = 300; // how many stay when the end is read and more have gathered
const PAGE = 100;
const EDGE_PX = 1000;
const STICK_PX = 48;
const FLASH_MS = 2000;

export class Timeline {
  #scroller = byId("messages");
  #list = byId("list");
  #pillNewest = byId("pill-newest");
  #pillUnread = byId("pill-unread");
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

  /** `older()` loads a page, `act(name, row)` is what a row's buttons do, `moved()` is told after each move. */
  constructor({ older, act, moved }) {
    this.older = older;
    this.act = act;
    this.moved = moved;
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#scroller.addEventListener("keydown", (event) => this.#keys(event));
    this.#pillNewest.addEventListener("click", () => this.toEnd());
    this.#pillUnread.addEventListener("click", () => this.#toLine());
    const sizes = new ResizeObserver(() => this.hold());
    sizes.observe(this.#scroller);
    sizes.observe(this.#list);
  }

  get atEnd() {
    return this.#stuck;
  }

  /** Shows these rows. Another `conversation` than before opens where it was left, or at its end. */
  show(conversation, rows, scene = null) {
    const changed = conversation !== this.#open;
    if (changed) this.#turnTo(conversation);
    if (!changed) this.#anchor = this.#readAnchor(); // a conversation just opened brings its own
    const before = { start: this.#start, anchor: this.#indexOfAnchor(), atLast: this.#end === this.#rows.length };
    this.#rows = rows;
    this.#placeWindow(before);
    scene?.();
    this.#draw();
    this.hold();
    this.#updatePills();
  }

  // --- the window ---

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

  #placeWindow({ start, anchor, atLast }) {
    const count = this.#rows.length;
    if (this.#stuck) {
      // Keeps what is drawn, so that the end only grows; and lets go of the top now and then.
      this.#end = count;
      const now = anchor < 0 ? -1 : this.#indexOfAnchor();
      const kept = now < 0 ? count - ROWS_AT_END : Math.max(0, start + now - anchor);
      this.#start = Math.max(0, count - kept > ROWS_MAX ? count - ROWS_AT_END : kept);
      return;
    }
    const now = this.#indexOfAnchor();
    const kept = anchor < 0 ? now - PAGE : start + now - anchor;
    this.#start = Math.max(0, now < 0 ? count - ROWS_AT_END : kept);
    const wanted = atLast ? count : this.#start + Math.max(this.#end - start, ROWS_AT_END);
    this.#end = Math.min(count, this.#start + ROWS_MAX, wanted);
  }

  /** Moves the window towards an edge that is near. Answers whether it moved. */
  #shift() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    if (scrollTop < EDGE_PX && this.#start > 0) {
      this.#start = Math.max(0, this.#start - PAGE);
      this.#end = Math.min(this.#end, this.#start + ROWS_MAX);
      return true;
    }
    if (scrollHeight - clientHeight - scrollTop < EDGE_PX && this.#end < this.#rows.length) {
      this.#end = Math.min(this.#rows.length, this.#end + PAGE);
      this.#start = Math.max(this.#start, this.#end - ROWS_MAX);
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
    let cursor = this.#list.firstElementChild;
    for (const row of wanted) {
      const element = this.#elementOf(row);
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
      drawn = { element: makeRow(row, (name) => this.act(name, this.#drawn.get(row.key).row)), row: null };
      this.#drawn.set(row.key, drawn);
    }
    if (drawn.row === null || !sameRow(drawn.row, row)) drawRow(drawn.element, row);
    drawn.row = row;
    return drawn.element;
  }

  // --- holding still ---

  /** Which row is read, and where it stands. */
  #readAnchor() {
    const top = this.#scroller.getBoundingClientRect().top;
    let low = 0;
    let high = this.#list.children.length - 1;
    const rows = this.#list.children;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle].getBoundingClientRect().bottom > top) high = middle;
      else low = middle + 1;
    }
    // A row for a day or a fold may not outlive the change; a message does.
    let element = rows[low];
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
    const stuck = height - scrollTop <= STICK_PX && this.#end === this.#rows.length;
    if (this.#stuck && !stuck) this.#leftAt = this.#newestArrival();
    this.#stuck = stuck;
    this.#anchor = this.#readAnchor();
    if (this.#shift()) {
      this.#draw();
      this.hold();
    }
    if (this.#start === 0 && scrollTop < EDGE_PX && !stuck) this.older();
    this.#updatePills();
    this.moved();
  }

  toEnd() {
    this.#stuck = true;
    this.#end = this.#rows.length;
    this.#start = Math.max(0, this.#end - ROWS_AT_END);
    this.#draw();
    this.hold();
    this.#updatePills();
    this.moved();
  }

  /** Brings a row to the middle, wherever it is, and focuses it. */
  toRow(key) {
    const index = this.#rows.findIndex((row) => row.key === key);
    if (index < 0) return;
    if (index < this.#start || index >= this.#end) {
      this.#start = Math.max(0, index - PAGE);
      this.#end = Math.min(this.#rows.length, this.#start + ROWS_AT_END);
      this.#draw();
    }
    if (this.#stuck) this.#leftAt = this.#newestArrival();
    this.#stuck = false;
    const { element } = this.#drawn.get(key);
    element.scrollIntoView({ block: "center" });
    element.focus({ preventScroll: true });
    element.classList.add("flash");
    setTimeout(() => element.classList.remove("flash"), FLASH_MS);
    this.#height = this.#scroller.scrollHeight - this.#scroller.clientHeight;
    this.#anchor = this.#readAnchor();
    this.#updatePills();
  }

  /** The id of the first message that is seen, or null. */
  firstVisible() {
    const anchor = this.#readAnchor();
    return this.#rows.find((row) => row.key === anchor?.key)?.id ?? null;
  }

  keyOf(id) {
    return this.#rows.find((row) => row.id === id)?.key;
  }

  // --- pills and keys ---

  #newestArrival() {
    return this.#rows.reduce((max, row) => (row.arrival < Infinity ? Math.max(max, row.arrival) : max), 0);
  }

  #updatePills() {
    const fresh = this.#heard(this.#rows).filter((row) => row.arrival > this.#leftAt).length;
    this.#pillNewest.hidden = this.#stuck;
    this.#pillNewest.textContent = t(fresh > 0 ? "pill.newestNew" : "pill.newest", { n: fresh });

    const line = this.#rows.findIndex((row) => row.type === "new");
    const element = line < 0 ? null : this.#drawn.get(this.#rows[line].key)?.element;
    const above = line >= 0 && (line < this.#start
      || (element && element.getBoundingClientRect().bottom < this.#scroller.getBoundingClientRect().top));
    this.#pillUnread.hidden = !above;
    if (!above) return;
    this.#pillUnread.textContent = t("pill.unread", { n: this.#heard(this.#rows.slice(line)).length });
  }

  /** What others said. */
  #heard(rows) {
    return rows.filter((row) => row.type === "message" && !row.own);
  }

  #toLine() {
    const line = this.#rows.find((row) => row.type === "new");
    if (line) this.toRow(line.key);
  }

  /** Up and Down go from message to message; the list itself is one stop for Tab. */
  #keys(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const current = document.activeElement.closest?.(".row");
    if (event.key === "Tab" && !event.shiftKey && !current?.querySelector("a, button:not([hidden])")) {
      // Out of the list in one step, not through the links of every row below.
      event.preventDefault();
      return (this.#pillNewest.hidden ? byId("field") : this.#pillNewest).focus();
    }
    const rows = [...this.#list.children];
    const index = rows.indexOf(current);
    const page = Math.max(1, Math.floor(this.#scroller.clientHeight / 60));
    const goal = {
      ArrowUp: index < 0 ? rows.length - 1 : index - 1, ArrowDown: index < 0 ? rows.length - 1 : index + 1,
      Home: 0, End: rows.length - 1, PageUp: index < 0 ? rows.length - page : index - page, PageDown: index + page,
    }[event.key];
    if (goal === undefined || rows.length === 0) return;
    event.preventDefault();
    const row = rows[Math.min(rows.length - 1, Math.max(0, goal))];
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
    if (row === rows.at(-1) && this.#end === this.#rows.length) this.toEnd();
  }
}
