// Lists that are drawn anew keep the focus.

/** Draws a list anew and keeps the focus on the entry that has it. */
export function keepingFocus(place, selector, draw) {
  const active = document.activeElement;
  const focused = place.contains(active) ? active.closest(selector)?.dataset.key : undefined;
  draw();
  if (focused === undefined) return;
  const again = place.querySelector(`${selector}[data-key="${CSS.escape(focused)}"]`) ?? place.querySelector(selector);
  if (again?.classList.contains("member")) again.tabIndex = 0;
  again?.focus({ preventScroll: true });
}
