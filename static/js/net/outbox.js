// Sends what the user did, again after a break, and keeps it over a reload.

import * as Storage from "../lib/storage.js";
import { adoptDraft, draftOf } from "../model/storage/drafts.js";
import {
  addOperation,
  dueOperations,
  frameOf,
  markRetried,
  markSent,
  packOperations,
  removeOperation,
  restoreOperations,
} from "../model/operations.js";

const SENDING_SHOWN_AFTER_MS = 410;

export function createOutbox({ state, views, connection }) {
  let store = null; // what outlives this page, once it is open

  const outbox = {
    /**
     * Does something: `kind` is one of the kinds of operations.
     *
     * @param {string} kind
     * @param {{ conversation: string, text?: string, target?: string, fields?: Record<string, unknown> }} what
     */
    add(kind, { text = "", ...fields }) {
      const ref = crypto.randomUUID();
      // Half of a surrogate pair is no text: the node would refuse the whole frame.
      addOperation(state, { ref, kind, text: text.toWellFormed?.() ?? text, at: Date.now(), ...fields });
      outbox.pump();
      views.touch("operations");
      setTimeout(() => state.operations.has(ref) && views.touch("operations"), SENDING_SHOWN_AFTER_MS);
      return ref;
    },

    pump() {
      for (const operation of dueOperations(state)) {
        if (!connection.send(frameOf(operation))) break;
        markSent(state, operation.ref);
      }
      outbox.save();
    },

    retry(ref) {
      markRetried(state, ref);
      outbox.pump();
      views.touch("operations");
    },

    discard(ref) {
      removeOperation(state, ref);
      outbox.save();
      views.touch("operations");
    },

    save() {
      store?.save(packOperations(state), state.operations.size === 0);
    },

    saveDrafts() {
      store?.saveDrafts(Object.fromEntries(state.drafts));
    },

    /** Takes what earlier pages left: operations that did not go out, and drafts of tabs that are gone. */
    async restore() {
      const { openStore } = await import("../model/storage/tab_storage.js");
      store = await openStore(state.session.me);
      restoreOperations(state, store.texts, Date.now());
      store.adoptDrafts((id, text) => adoptDraft(state, id, text));
      outbox.save();
      outbox.saveDrafts();
      views.touch("operations", "drafts");
    },

    /** What was written and would be lost with this tab. A node that confirmed all of it has it. */
    unsavedTexts() {
      if (Storage.isInNode()) return [];
      const texts = [...state.operations.values()].map(({ text }) => text);
      return [...texts, ...[...state.drafts.keys()].map((id) => draftOf(state, id))].filter((text) => text !== "");
    },
  };
  return outbox;
}
