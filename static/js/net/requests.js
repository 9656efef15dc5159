// Frames that the node answers, as promises.

import { t } from "../lib/i18n.js";

/** @param {import("./connection.js").Connection} connection */
export function createRequests(connection) {
  const waiting = new Map(); // ref -> { resolve, reject }

  function settle(ref, act) {
    const request = waiting.get(ref);
    waiting.delete(ref);
    if (request) act(request);
    return request !== undefined;
  }

  const requests = {
    /** Has the node do something; fails with a sentence for the user. */
    send(frame) {
      const ref = crypto.randomUUID();
      return new Promise((resolve, reject) => {
        waiting.set(ref, { resolve, reject });
        if (!connection.send({ ...frame, ref })) requests.cutOff();
      });
    },

    /** Takes a frame that may be an answer. Returns whether it was one. */
    settle({ type, ref, error, message }) {
      if (type === "error")
        return settle(ref, ({ reject }) => reject(Object.assign(new Error(message || error), { code: error })));
      return settle(ref, ({ resolve }) => resolve());
    },

    /** The connection broke: nothing is answered any more. */
    cutOff() {
      for (const ref of [...waiting.keys()]) settle(ref, ({ reject }) => reject(new Error(t("connection.cut"))));
    },
  };
  return requests;
}
