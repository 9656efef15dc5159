// Settings, drafts and unsent messages, by key. They live in this browser, except on a shared machine: there each start of
// the node has another origin, and another user who takes the port meanwhile can read what a tab left in the browser.
// So there the node keeps them, and what belongs to one tab stays in memory.

const SAVE_AFTER_MS = 300; // a message that is answered sooner never costs the node a second commit
const VALUE_BYTES_MAX = 96 * 1024; // as the node has it: a larger frame would end the connection
const THEME = "roomful.theme";

const encoder = new TextEncoder();

/** The items that the node keeps. `send(frame)` says whether a frame went out; `tell(change)` tells the other tabs. */
export class NodeStorage {
  #items = new Map();
  #changed = new Set(); // keys of which the node has not confirmed the value
  #last = new Map(); // key -> the value that the node was sent last, or gave
  #sent = new Map(); // ref -> { key, value }: sent and not answered
  #refused = new Map(); // key -> the value that the node does not take
  #timer = 0;

  /** @param {{ send: (frame: object) => boolean, tell?: (change: { key: string, text: string | null }) => void }} ways */
  constructor({ send, tell = () => {} }) {
    this.send = send;
    this.tell = tell;
  }

  /** Takes the items of a welcome. Changes that the node may not have heard go out again. */
  welcome(items = {}) {
    this.#last = new Map(Object.entries(items));
    this.#sent.clear();
    this.#refused.clear();
    const own = [...this.#items].filter(([key]) => this.#changed.has(key));
    const others = [...this.#last].filter(([key]) => !this.#changed.has(key));
    this.#items = new Map([...others, ...own]);
    this.flush();
  }

  read(key) {
    return this.#items.get(key) ?? null;
  }

  keys() {
    return [...this.#items.keys()];
  }

  /** Sets an item, or removes it (`null`). The node hears of it a moment later. */
  write(key, text) {
    if (text === this.read(key)) return;
    this.#put(key, text);
    this.#refused.delete(key);
    this.#changed.add(key);
    this.tell({ key, text });
    this.#timer ||= setTimeout(() => this.flush(), SAVE_AFTER_MS);
  }

  /** Another tab has set an item, and tells the node itself. */
  hear({ key, text }) {
    if (this.#changed.has(key)) return;
    this.#put(key, text);
    this.#last.set(key, text);
  }

  /** Sends what changed. */
  flush() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const flying = new Set([...this.#sent.values()].map(({ key }) => key));
    for (const key of this.#changed) {
      const value = this.read(key);
      if (this.#refused.has(key) && this.#refused.get(key) === value) continue;
      if ((this.#last.get(key) ?? null) === value) {
        if (!flying.has(key)) this.#changed.delete(key);
        continue;
      }
      if (encoder.encode(value ?? "").length > VALUE_BYTES_MAX) {
        this.#refused.set(key, value);
        continue;
      }
      const ref = crypto.randomUUID();
      if (!this.send({ type: "storage", ref, key, value })) return;
      this.#last.set(key, value);
      this.#sent.set(ref, { key, value });
    }
  }

  /** The node's answer to a change. Returns false if it belongs to something else. */
  answered(ref, isKept) {
    const change = this.#sent.get(ref);
    if (change === undefined) return false;
    this.#sent.delete(ref);
    const { key, value } = change;
    if (isKept && this.read(key) === value) this.#changed.delete(key);
    if (!isKept) {
      this.#refused.set(key, value);
      this.#last.delete(key);
    }
    return true;
  }

  /** Whether the node has confirmed all of it. */
  get isSaved() {
    return this.#changed.size === 0;
  }

  /** Whether the node does not take something. */
  get isRefused() {
    return [...this.#refused].some(([key, value]) => this.#changed.has(key) && this.read(key) === value);
  }

  #put(key, text) {
    if (text === null) this.#items.delete(key);
    else this.#items.set(key, text);
  }
}

let node = null;
const ofTab = new Map(); // on a shared machine

/** Takes the node's word of where things are kept. */
export function begin({ node: { shared = false }, storage }, send) {
  if (!shared) return takeBack(storage, send);
  if (node === null) {
    const tabs = new BroadcastChannel("roomful.storage");
    node = new NodeStorage({ send, tell: (change) => tabs.postMessage(change) });
    tabs.onmessage = ({ data }) => node.hear(data);
  }
  node.welcome(storage);
  const theme = read(THEME);
  if (theme !== null) applyTheme(theme);
}

/** The machine was shared before, and is not any more: what the node kept belongs to this browser again. */
function takeBack(items = {}, send) {
  for (const [key, text] of Object.entries(items)) {
    if (read(key) === null && !write(key, text)) continue; // it stays where it is
    send({ type: "storage", ref: crypto.randomUUID(), key, value: null });
  }
}

/** Whether the node has all of it, whatever becomes of this tab. */
export const isInNode = () => node !== null && node.isSaved;
export const isShared = () => node !== null;
export const isRefused = () => node !== null && node.isRefused;
export const answered = (ref, isKept) => node !== null && node.answered(ref, isKept);
export const flush = () => node?.flush();

/** The text of an item; null if there is none, undefined where the browser forbids to look. */
export function read(key) {
  return node === null ? readIn("localStorage", key) : node.read(key);
}

/** Sets an item, or removes it (`null`). Returns false if it lasts only as long as the page. */
export function write(key, text) {
  if (node === null) return writeIn("localStorage", key, text);
  node.write(key, text);
  return true;
}

/** The keys that begin so. */
export function keys(prefix) {
  return (node === null ? keysIn("localStorage") : node.keys()).filter((key) => key.startsWith(prefix));
}

// --- what belongs to this tab alone ---

export function readOfTab(key) {
  return node === null ? readIn("sessionStorage", key) : (ofTab.get(key) ?? null);
}

export function writeOfTab(key, text) {
  if (node === null) writeIn("sessionStorage", key, text);
  else if (text === null) ofTab.delete(key);
  else ofTab.set(key, text);
}

export function keysOfTab(prefix) {
  return (node === null ? keysIn("sessionStorage") : [...ofTab.keys()]).filter((key) => key.startsWith(prefix));
}

// --- the look ---

export const readTheme = () => read(THEME) ?? "auto";

export function keepTheme(theme) {
  write(THEME, theme);
  applyTheme(theme);
}

/** Also into the browser, where it stands before the first paint: it says nothing of its user. */
function applyTheme(theme) {
  writeIn("localStorage", THEME, theme);
  dispatchEvent(new CustomEvent("roomful-theme", { detail: theme }));
}

// --- the browser's own ---

function readIn(where, key) {
  try {
    return globalThis[where].getItem(key);
  } catch {
    return undefined;
  }
}

function writeIn(where, key, text) {
  try {
    if (text === null) globalThis[where].removeItem(key);
    else globalThis[where].setItem(key, text);
    return true;
  } catch {
    return false; // forbidden or full: what is on the screen still goes out
  }
}

function keysIn(where) {
  try {
    return Object.keys(globalThis[where]);
  } catch {
    return [];
  }
}
