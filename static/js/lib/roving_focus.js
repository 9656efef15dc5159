// The keys that move from item to item in a list, a menu or a row of buttons that is one stop for Tab.

export const VERTICAL = { ArrowUp: -1, ArrowDown: 1 };
export const HORIZONTAL = { ArrowLeft: -1, ArrowRight: 1 };

/**
 * The index that a key leads to, or null where it means nothing. From outside (`at` is -1) forwards leads to the first
 * and backwards to the last. At an end it goes on at the other end if it `wraps`, else nothing happens.
 */
export function indexAfter(key, at, count, { keys = VERTICAL, wraps = false } = {}) {
  if (count === 0) return null;
  if (keys === VERTICAL && key === "Home") return 0;
  if (keys === VERTICAL && key === "End") return count - 1;
  const step = keys[key];
  if (step === undefined) return null;
  const next = at < 0 ? (step > 0 ? 0 : count - 1) : at + step;
  if (wraps) return (next + count) % count;
  return next >= 0 && next < count ? next : null;
}

/** The same in rows of `columns` items. */
export function indexInGrid(key, at, count, columns) {
  const step = HORIZONTAL[key] ?? columns * VERTICAL[key];
  const next = at + step;
  return next >= 0 && next < count ? next : null;
}

/** Moves the focus from item to item with a key. Returns whether it did. */
export function moveFocus(event, items, options) {
  if (event.altKey || event.ctrlKey || event.metaKey) return false;
  const index = indexAfter(event.key, items.indexOf(document.activeElement), items.length, options);
  if (index === null) return false;
  event.preventDefault();
  items[index].focus();
  return true;
}
