// Which row is read, and where it stands: what must not move.

/** The place in the list of the first row that reaches below `top`. */
export function firstBelow(list, top) {
  const rows = list.children;
  let low = 0;
  let high = rows.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle].getBoundingClientRect().bottom > top) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** `{ key, top }`: the first row that is read, and how far below the edge it begins; null if there is none. */
export function readAnchor(scroller, list) {
  const { top } = scroller.getBoundingClientRect();
  // A row for a day or a fold may not outlive the change; a message does.
  let element = list.children[firstBelow(list, top)];
  while (element?.nextElementSibling && !element.classList.contains("message")) element = element.nextElementSibling;
  return element ? { key: element.dataset.key, top: element.getBoundingClientRect().top - top } : null;
}
