// How fast files move: a mean over the last seconds, by file.

const SPAN_MS = 4000;

/** Keeps samples of one kind of transfer. Pure, but for what it keeps. */
export function createRates() {
  /** @type {Map<string, { at: number, bytes: number }[]>} */
  const samples = new Map();
  return {
    /** Takes note of how many bytes are there now. Returns bytes a second, or null while that is not known. */
    note(id, bytes, now) {
      const kept = (samples.get(id) ?? []).filter(({ at, bytes: had }) => now - at <= SPAN_MS && had <= bytes);
      kept.push({ at: now, bytes });
      samples.set(id, kept);
      const [first] = kept;
      const span = now - first.at;
      return span < 250 || bytes === first.bytes ? null : ((bytes - first.bytes) * 1000) / span;
    },

    forget: (id) => samples.delete(id),
  };
}
