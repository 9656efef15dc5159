// What features are installed into, for the tests beside this file: the state, and a note of what they ask for.

import { createEvents } from "../../static/js/lib/events.js";
import { applyFrame } from "../../static/js/model/frames.js";
import { createState } from "../../static/js/model/state.js";
import { T0, welcome } from "./frames.mjs";

export const NOW = T0 + 3_600_000;

/** An app whose node has said these messages. `asked` is what its parts were asked to do. */
export function appWith(messages = [], fields = {}) {
  const state = createState();
  const asked = [];
  const note =
    (name) =>
    (...args) =>
      void asked.push([name, ...args]);
  const events = createEvents();
  const app = {
    state,
    events,
    asked,
    say: note("say"),
    hint: note("hint"),
    announce: note("announce"),
    openDialog: note("openDialog"),
    views: { add() {}, touch() {} },
    outbox: { add: note("add"), discard: note("discard") },
    connection: { post: async (path) => note("post")(path) },
    composer: { text: "", keyHandlers: [], inputHandlers: [], enter: note("enter"), leave: note("leave") },
    hear: (frame) => applyFrame(state, frame, { now: NOW, emit: events.emit }),
  };
  app.hear(welcome(messages, fields));
  return app;
}
