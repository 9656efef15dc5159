// Runs in the page before anything of it, and measures from outside: what is heard and drawn, and when it was on the screen.
// Every time is in milliseconds.

globalThis.bench = (() => {
  const PATIENCE = 15_000;
  const bench = { readyAt: null, shift: 0, slowest: 0, onFrame: null, onAnswer: null };

  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) bench.shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) bench.slowest = Math.max(bench.slowest, duration);
  }).observe({ type: "event", durationThreshold: 16, buffered: true });
  new MutationObserver(() => (bench.readyAt ??= performance.now()))
    .observe(document, { subtree: true, attributeFilter: ["data-ready"] });

  // Told before the page itself is.
  globalThis.WebSocket = class extends WebSocket {
    constructor(...args) {
      super(...args);
      this.addEventListener("message", ({ data }) => bench.onFrame?.(data));
    }
  };
  const ask = globalThis.fetch;
  globalThis.fetch = async (...args) => {
    const answer = await ask(...args);
    const text = await answer.text();
    bench.onAnswer?.();
    return new Response(text, answer);
  };

  /** After the next frame is on the screen. */
  const painted = () => new Promise((done) => {
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => done(performance.now());
      channel.port2.postMessage(null);
    });
  });

  /** When `holds()` was first true on the screen. */
  async function shown(holds) {
    const begun = performance.now();
    for (let at = await painted(); ; at = await painted()) {
      if (holds()) return at;
      if (at - begun > PATIENCE) throw new Error(`not on the screen: ${holds}; the last row: ${lastRow()}`);
    }
  }

  const list = () => document.getElementById("list");
  const scroller = () => document.getElementById("messages");
  const lastRow = () => list().lastElementChild?.textContent ?? "";
  const rest = bench.rest = (ms) => new Promise((done) => setTimeout(done, ms));

  /** Says something as by hand, from Enter to its row. */
  bench.say = async (text) => {
    const field = document.getElementById("field");
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    await painted();
    const begun = performance.now();
    field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
    const at = await shown(() => lastRow().includes(text));
    await rest(30);
    return at - begun;
  };

  /** From the first frame with one of `texts` in it to the row of the last of them. To be asked before they are said. */
  bench.expect = (first, last) => {
    bench.expected = new Promise((done) => {
      bench.onFrame = async (data) => {
        if (!data.includes(first)) return;
        bench.onFrame = null;
        const begun = performance.now();
        done((await shown(() => lastRow().includes(last))) - begun);
      };
    });
  };

  /** From the next frame with a message in it to the row of it. To be asked before it is said. */
  bench.expectRow = () => {
    const before = list().lastElementChild;
    bench.expected = new Promise((done) => {
      bench.onFrame = async (data) => {
        if (!data.startsWith('{"type":"message"')) return;
        bench.onFrame = null;
        const begun = performance.now();
        done((await shown(() => list().lastElementChild !== before)) - begun);
      };
    });
  };

  /** Unfolds or folds the last row, if it can be: from the click to the screen. */
  bench.turnLast = async () => {
    const begun = performance.now();
    list().lastElementChild.querySelector(".message__more")?.click();
    return (await painted()) - begun;
  };

  /** From these letters in the field that has the focus to the screen. */
  bench.type = async (text) => {
    const begun = performance.now();
    document.activeElement.value = text;
    document.activeElement.dispatchEvent(new InputEvent("input", { bubbles: true }));
    return (await painted()) - begun;
  };

  /** From a click on a conversation to its rows. */
  bench.switchTo = async (key, text) => {
    const begun = performance.now();
    document.querySelector(`.conversation[data-key="${CSS.escape(key)}"]`).click();
    const at = await shown(() => lastRow().includes(text));
    await rest(400); // until the window is full
    return at - begun;
  };

  /** Scrolls up until an older page is there: `[ms, px]`, from the answer to the screen, and how far what one reads moved. */
  bench.older = async () => {
    const { top } = scroller().getBoundingClientRect();
    const place = (row) => [...list().children].indexOf(row);
    let answered = null;
    let [anchor, before, above] = [null, 0, 0];
    bench.onAnswer = () => {
      answered ??= performance.now();
      above = place(anchor);
    };
    while (answered === null) {
      scroller().scrollTop = Math.min(scroller().scrollTop, 900);
      anchor = [...list().children].find((row) => row.getBoundingClientRect().top > top);
      before = anchor.getBoundingClientRect().top;
      await painted();
    }
    bench.onAnswer = null;
    const at = await shown(() => place(anchor) > above);
    const moved = Math.abs(anchor.getBoundingClientRect().top - before);
    await rest(50);
    return [at - answered, moved];
  };

  /** Scrolls up for so many frames. How long each of them took, and how many rows there were at most. */
  bench.scroll = async (frames) => {
    const took = [];
    let rows = 0;
    let last = await painted();
    for (let i = 0; i < frames; i += 1) {
      scroller().scrollTop -= 60;
      const at = await new Promise((done) => requestAnimationFrame(done));
      took.push(at - last);
      last = at;
      rows = Math.max(rows, list().childElementCount);
    }
    return { took: took.slice(1), rows };
  };

  /** Bytes of the page's own scripts and styles as they are served: all that it has loaded by now, and what the shell names. */
  bench.weigh = async () => {
    const sizes = { raw: 0, packed: 0, css: 0, pathRaw: 0, pathPacked: 0, modules: 0 };
    const styles = [...document.querySelectorAll("link[rel=stylesheet]")].map(({ href }) => href);
    const scripts = [...document.querySelectorAll("script[src]")].map(({ src }) => src);
    const preloaded = [...document.querySelectorAll("link[rel=modulepreload]")].map(({ href }) => href);
    const needed = new Set([...styles, ...scripts, ...preloaded]);
    const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
    for (const href of new Set([...needed, ...loaded.filter((name) => /\.(js|css)$/.test(name))])) {
      await (await ask(href, { cache: "no-store" })).text();
      const { decodedBodySize, encodedBodySize } = performance.getEntriesByName(href).at(-1);
      sizes.raw += decodedBodySize;
      sizes.packed += encodedBodySize;
      if (styles.includes(href)) sizes.css += decodedBodySize;
      if (!needed.has(href)) continue;
      sizes.pathRaw += decodedBodySize;
      sizes.pathPacked += encodedBodySize;
    }
    return { ...sizes, modules: scripts.length + preloaded.length };
  };

  bench.times = () => ({ painted: performance.getEntriesByName("first-contentful-paint")[0]?.startTime, ready: bench.readyAt });
  return bench;
})();
