// A field with a list of what could be meant: the field keeps the focus, the arrows choose, a click takes.

import { make } from "./dom.js";
import { indexAfter, indexInGrid } from "./roving_focus.js";

export class Listbox {
  #field;
  #list;
  #draw;
  #columns;
  #options = [];
  #chosen = 0;

  /**
   * `take(option)` is told what was chosen, `draw(option)` gives the parts of one. Where the options stand in a grid,
   * `columns()` tells how many are in a row.
   *
   * @param {{ field: any, list: any, take: (option: any) => void, draw: (option: any) => (Node | string)[], columns?: () => number }} parts
   */
  constructor({ field, list, take, draw, columns }) {
    this.#field = field;
    this.#list = list;
    this.#draw = draw;
    this.#columns = columns;
    list.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
    list.addEventListener("click", (event) => {
      const index = [...list.children].indexOf(event.target.closest("[role=option]"));
      if (index >= 0) take(this.#options[index]);
    });
  }

  get isOpen() {
    return this.#options.length > 0;
  }

  get chosen() {
    return this.#options[this.#chosen];
  }

  /** Shows other options; the same one stays chosen if `keeps`. */
  show(options, { keeps = false } = {}) {
    this.#options = options;
    this.#list.replaceChildren(
      ...options.map((option, index) => {
        const item = make("li", "option");
        item.id = `${this.#list.id}-${index}`;
        item.setAttribute("role", "option");
        item.append(...this.#draw(option));
        return item;
      }),
    );
    this.#list.hidden = options.length === 0;
    // A textbox that offers something has no state "expanded", which a combobox must have.
    if (this.#field.role === "combobox") this.#field.setAttribute("aria-expanded", String(this.isOpen));
    this.#choose(keeps ? Math.min(this.#chosen, Math.max(0, options.length - 1)) : 0);
  }

  /** Moves the choice with a key of the field. Returns whether the key meant that. */
  move(event) {
    if (event.key === "Home" || event.key === "End") return false; // these move the caret
    const [at, count] = [this.#chosen, this.#options.length];
    const index = this.#columns
      ? indexInGrid(event.key, at, count, this.#columns())
      : indexAfter(event.key, at, count, { wraps: true });
    if (event.isComposing || index === null) return false;
    event.preventDefault();
    this.#choose(index);
    return true;
  }

  #choose(index) {
    this.#chosen = index;
    [...this.#list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === index)));
    const item = this.#list.children[index];
    if (!item) return this.#field.removeAttribute("aria-activedescendant");
    this.#field.setAttribute("aria-activedescendant", item.id);
    item.scrollIntoView({ block: "nearest" });
  }
}

/** The same for a field of its own, as in a dialog: Enter takes. @param {ConstructorParameters<typeof Listbox>[0]} parts */
export function createFinder(parts) {
  const { field, take } = parts;
  const listbox = new Listbox(parts);
  field.addEventListener("keydown", (event) => {
    if (event.isComposing || !listbox.isOpen || listbox.move(event) || event.key !== "Enter") return;
    event.preventDefault();
    take(listbox.chosen);
  });
  return listbox;
}
