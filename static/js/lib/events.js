// What has happened, for what is no state: a message to read out, an edge that came near. Parts of the page that are
// loaded later miss nothing: until all are here, each listener is told what happened before it came.

export function createEvents() {
  const listeners = new Map(); // name -> functions
  let backlog = []; // null once all listeners are here

  return {
    on(name, listener) {
      listeners.set(name, [...(listeners.get(name) ?? []), listener]);
      for (const event of backlog ?? []) {
        if (event.name === name) listener(event.data);
      }
    },

    emit(name, data) {
      backlog?.push({ name, data });
      for (const listener of listeners.get(name) ?? []) listener(data);
    },

    /** All listeners are here: nothing is kept for later ones. */
    settle() {
      backlog = null;
    },
  };
}
