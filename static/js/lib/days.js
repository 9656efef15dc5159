// Days as numbers.

/** The local day of a time, as a number that grows by about one a day. */
export function dayOf(at) {
  const date = new Date(at);
  return Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / 86_400_000;
}
