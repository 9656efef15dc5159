// The link between this page and its node: the proof of both sides, and coming back by itself. It knows nothing of
// messages.

import { fromHex, loadKey, newNonce, nodeIsOurs, proveOurselves, toHex } from "./session_key.js";

const SILENCE_MS = 45_000; // three beats: the node is gone, or we slept
const OPENING_MS = 10_000;
const WAIT_MS_MIN = 500;
const WAIT_MS_MAX = 15_000;
const NO_KEY = 4401;
const BAD_HOST = 403; // the status for a name that the node does not answer to

// No timer here is needed for being right: a tab that slept looks at the clock when it is shown again.

/** How long to wait before try number `tries` (from 0): doubling, capped, with up to a fifth of jitter. */
export function waitBefore(tries, random = Math.random()) {
  const base = Math.min(WAIT_MS_MAX / 1.2, WAIT_MS_MIN * 2 ** Math.min(tries, 10));
  return Math.round(base * (1 + 0.2 * random));
}

/**
 * Phases: `opening` (also while trying again), `open`, `waiting` (until `retryAt`), and the closed doors
 * `no-key`, `stranger` (who answers could not prove to be our node), `refused` (our key is no longer good) and
 * `restarted` (the node answers to another name now, so this origin never reaches it again).
 */
export class Connection {
  phase = "opening";
  waitingSince = 0;
  retryAt = 0;
  cutSince = 0; // when the link was lost; 0 while it stands, or before it ever stood
  stopping = false; // the node said that it stops
  bearer = null;

  #ws = null;
  #tries = 0;
  #proved = false;
  #timer = 0;
  #heardAt = 0;

  /** `resume()` gives `{after, run}` or `{}`; `frame(frame)` and `changed(status)` are told what happens. */
  constructor({ resume, frame, changed }) {
    this.resume = resume;
    this.frame = frame;
    this.changed = changed;
    addEventListener("online", () => this.tryNow());
    document.addEventListener("visibilitychange", () => this.#woke());
  }

  get isOpen() {
    return this.phase === "open";
  }

  /** How it stands. */
  get status() {
    const { phase, waitingSince, retryAt, cutSince, stopping } = this;
    return { phase, waitingSince, retryAt, cutSince, stopping };
  }

  /** Sends a frame if the node is there; says whether it went out. */
  send(frame) {
    if (!this.isOpen) return false;
    this.#ws.send(JSON.stringify(frame));
    return true;
  }

  /** GET from the node, as this run of it lets us. @param {RequestInit} [options] */
  get(path, options) {
    return this.#ask(path, options);
  }

  post(path, body) {
    return this.#ask(path, { method: "POST", body: JSON.stringify(body) });
  }

  /** Asks the node, as this run of it lets us. @param {RequestInit} [options] */
  fetch(path, options) {
    const type = { "Content-Type": "application/json", ...options?.headers };
    const headers = { ...type, Authorization: `Bearer ${this.bearer}` };
    return fetch(path, { cache: "no-store", ...options, headers });
  }

  async #ask(path, options) {
    const answer = await this.fetch(path, options);
    if (!answer.ok) throw new Error((await answer.json()).message); // a sentence for the user
    const text = await answer.text();
    return text === "" ? null : JSON.parse(text);
  }

  tryNow() {
    if (this.phase === "waiting") this.open();
  }

  /** Begins anew, with a new key. */
  restart() {
    this.#drop();
    this.#tries = 0;
    this.open();
  }

  async open() {
    clearTimeout(this.#timer);
    this.#enter("opening");
    const key = await loadKey();
    if (key === null || key === undefined) return this.#enter("no-key");

    this.#drop();
    const ws = new WebSocket(`ws://${location.host}/ws`);
    const nonce = newNonce();
    this.#ws = ws;
    this.#proved = false;
    this.#timer = setTimeout(() => this.#lost(ws), OPENING_MS);
    ws.onopen = () => ws.send(JSON.stringify({ type: "hello", nonce: toHex(nonce) }));
    ws.onclose = (event) => this.#lost(ws, event.code);
    // Frames are handled one after the other: the proof takes a moment, and what follows must wait for it.
    let turn = Promise.resolve();
    ws.onmessage = (event) => {
      turn = turn.then(() => this.#hear(ws, key, nonce, event.data)).catch((error) => console.error(error));
    };
  }

  async #hear(ws, key, nonce, data) {
    if (ws !== this.#ws) return;
    this.#heardAt = Date.now();
    const frame = JSON.parse(data);
    if (frame.type === "challenge") return this.#answer(ws, key, nonce, frame);
    if (frame.type === "welcome") return this.#welcome(frame);
    if (!this.isOpen) return;
    if (frame.type === "stopping") {
      this.stopping = true;
      this.#enter(this.phase);
    }
    if (frame.type === "resync") return this.restart();
    return this.frame(frame);
  }

  async #answer(ws, key, pageNonce, { nonce, proof }) {
    const nodeNonce = fromHex(nonce);
    if (!(await nodeIsOurs(key, pageNonce, nodeNonce, fromHex(proof)))) {
      this.#drop();
      return this.#enter("stranger");
    }
    const ours = await proveOurselves(key, pageNonce, nodeNonce);
    if (ws === this.#ws && ws.readyState === WebSocket.OPEN) {
      this.#proved = true;
      ws.send(JSON.stringify({ type: "proof", proof: ours, ...this.resume() }));
    }
  }

  async #welcome(frame) {
    clearTimeout(this.#timer);
    this.bearer = frame.bearer;
    this.#tries = 0;
    this.stopping = false;
    this.phase = "open";
    this.cutSince = 0;
    const ws = this.#ws;
    await this.frame(frame);
    if (ws !== this.#ws) return;
    this.#enter("open");
    this.#watchSilence();
  }

  #watchSilence() {
    clearTimeout(this.#timer);
    const left = this.#heardAt + SILENCE_MS - Date.now();
    if (left <= 0) return this.#lost(this.#ws);
    this.#timer = setTimeout(() => this.#watchSilence(), left + 50);
  }

  #lost(ws, code) {
    if (ws === null || ws !== this.#ws) return;
    this.#drop();
    // Before our proof was out it only says that we were too slow, as a tab that slept is.
    if (code === NO_KEY && this.#proved) return this.#enter("refused");
    if (this.cutSince === 0) this.cutSince = Date.now();
    const wait = waitBefore(this.#tries);
    this.#tries += 1;
    this.waitingSince = Date.now();
    this.retryAt = this.waitingSince + wait;
    this.#timer = setTimeout(() => this.open(), wait);
    this.#enter("waiting");
    this.#checkName();
  }

  /** On a shared machine a node that was started again refuses the name of the start before. Then nothing is tried again. */
  async #checkName() {
    const signal = AbortSignal.timeout(OPENING_MS);
    const answer = await fetch("/", { method: "HEAD", cache: "no-store", signal }).catch(() => null);
    if (answer?.status !== BAD_HOST || this.phase !== "waiting") return;
    clearTimeout(this.#timer);
    this.#enter("restarted");
  }

  #woke() {
    if (document.hidden) return;
    if (this.isOpen && Date.now() - this.#heardAt > SILENCE_MS) this.restart();
    if (this.phase === "stranger" || this.phase === "restarted") this.open();
    this.tryNow();
  }

  #drop() {
    clearTimeout(this.#timer);
    const ws = this.#ws;
    this.#ws = null;
    if (ws === null) return;
    ws.onopen = ws.onclose = ws.onmessage = null;
    ws.close();
  }

  #enter(phase) {
    this.phase = phase;
    this.changed(this.status);
  }
}
