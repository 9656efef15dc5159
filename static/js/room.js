// What commands and dialogs may do: ask the node for something, and tell the user how it went in a line that only
// this page shows.

import { t } from "./lib/texts.js";
import { byId } from "./lib/dom.js";

/** `base` is what main.js lets them do as well; `drawn()` shows a new line at the end, `redrawn()` one elsewhere. */
export function createRoom({ base, socket, current, drawn, redrawn }) {
  const hints = new Map(); // conversation -> the one line in it that only this user sees
  const calls = new Map(); // ref -> {resolve, reject} of a command on its way

  function settle(ref, act) {
    const call = calls.get(ref);
    calls.delete(ref);
    if (call) act(call);
    return call !== undefined;
  }

  const room = Object.assign(base, {
    /** The lines of this conversation that only this user sees. */
    hintsOf: (key) => (hints.has(key) ? [hints.get(key)] : []),
    forgetHint: (key) => hints.delete(key),

    hint(text, actions = []) {
      const done = (run) => () => {
        hints.delete(current());
        byId("field").focus();
        run();
        drawn();
      };
      hints.set(current(), {
        id: crypto.randomUUID(), at: Date.now(), text,
        actions: actions.map(({ label, run }) => ({ label, run: done(run) })),
      });
      room.announce(text);
      drawn();
    },

    /** A hint that stands right before a message: the reader stays where they are. */
    note(text, before) {
      hints.set(current(), { id: crypto.randomUUID(), at: Date.now(), text, before, actions: [] });
      redrawn();
    },

    announce(text) {
      byId("announce").textContent = text;
    },

    /** What the node says of itself now. */
    node: () => socket.get("/api/v1/node"),

    /** Has the node do something; fails with what it says against it. */
    command(name, text) {
      const ref = crypto.randomUUID();
      return new Promise((resolve, reject) => {
        calls.set(ref, { resolve, reject });
        if (!socket.send({ type: "command", ref, name, ...(text ? { text } : {}) })) room.cutOff();
      });
    },

    /** The node answered. Says whether it was a command of ours. */
    done: (ref) => settle(ref, (call) => call.resolve()),
    refused: (ref, message) => settle(ref, (call) => call.reject(new Error(message))),
    cutOff() {
      for (const ref of [...calls.keys()]) room.refused(ref, t("connection.cut"));
    },
  });
  return room;
}
