// The files that go with the next message of each conversation: uploaded as soon as they are chosen, sent with Enter.

import { upload } from "../net/upload.js";
import { createRates } from "./rates.js";

export const FILES_MAX = 10; // in one message

/** @typedef {{ id: string, file: File, name: string, size: number, sent: number, rate: number | null, status: "uploading" | "ready" | "failed", error: string | null, fields: Record<string, unknown> | null, stop: AbortController }} Attachment */

/**
 * @param {object} how
 * @param {(path: string, options: object) => Promise<Response>} how.send
 * @param {() => void} how.changed
 * @param {(file: File) => Promise<object>} [how.measure] tells the width, height and preview of a picture
 * @param {(file: File) => Promise<File>} [how.prepare] gives the file that is uploaded in its place
 */
export function createAttachments({ send, changed, measure = async () => ({}), prepare = async (file) => file }) {
  /** @type {Map<string, Attachment[]>} */
  const all = new Map();
  const of = (conversation) => all.get(conversation) ?? [];
  const rates = createRates();

  /** Uploads the file of an attachment, which ends as ready or failed. */
  async function run(one) {
    Object.assign(one, { status: "uploading", sent: 0, rate: null, error: null, stop: new AbortController() });
    rates.forget(one.id);
    try {
      const file = await prepare(one.file);
      one.size = file.size;
      const [{ content, name }, picture] = await Promise.all([
        upload(file, {
          send,
          signal: one.stop.signal,
          progress: (sent) => {
            one.sent = sent;
            one.rate = rates.note(one.id, sent, Date.now());
            changed();
          },
        }),
        measure(file).catch(() => ({})),
      ]);
      Object.assign(one, { status: "ready", sent: one.size, fields: { content, name, ...picture } });
    } catch (error) {
      Object.assign(one, { status: "failed", error: error.message });
    }
    changed();
  }

  return {
    of,

    /** Adds files. Returns the promise of their uploads, or null if they are too many for a message. */
    add(conversation, files) {
      if (of(conversation).length + files.length > FILES_MAX) return null;
      const added = files.map((file) => ({
        id: crypto.randomUUID(),
        file,
        name: file.name,
        size: file.size,
        sent: 0,
        rate: null,
        status: /** @type {const} */ ("uploading"),
        error: null,
        fields: null,
        stop: new AbortController(),
      }));
      all.set(conversation, [...of(conversation), ...added]);
      const done = Promise.all(added.map(run));
      changed();
      return done;
    },

    /** Uploads a file again that failed. */
    retry(conversation, id) {
      const one = of(conversation).find((attachment) => attachment.id === id);
      if (one?.status !== "failed") return undefined;
      const done = run(one);
      changed();
      return done;
    },

    remove(conversation, id) {
      of(conversation)
        .find((one) => one.id === id)
        ?.stop.abort();
      all.set(
        conversation,
        of(conversation).filter((one) => one.id !== id),
      );
      changed();
    },

    hasAny: (conversation) => of(conversation).length > 0,
    isReady: (conversation) => of(conversation).every(({ status }) => status === "ready"),

    /** Takes what goes with a message that is sent now. */
    take(conversation) {
      const files = of(conversation).map(({ fields }) => fields);
      all.delete(conversation);
      if (files.length > 0) changed();
      return files.length > 0 ? { files } : {};
    },
  };
}
