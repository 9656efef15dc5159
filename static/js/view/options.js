// A field with a list of what could be meant: the field keeps the focus, the arrows choose, Enter takes.

import { make } from "../lib/dom.js";

export class Options {
  #field;
  #list;
  #options = [];
  #chosen = 0;

  /** `take(option)` is told what was chosen. */
  constructor(field, list, take) {
    this.#field = field;
    this.#list = list;
    list.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
    list.addEventListener("click", (event) => {
      const index = [...list.children].indexOf(event.target.closest("[role=option]"));
      if (index >= 0) take(this.#options[index]);
    });
    field.addEventListener("keydown", (event) => {
      const count = this.#options.length;
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (event.isComposing || count === 0 || (!step && event.key !== "Enter")) return;
      event.preventDefault();
      if (!step) return take(this.#options[this.#chosen]);
      this.#choose((this.#chosen + step + count) % count);
    });
  }

  /** Shows other options; `draw(option)` gives the parts of one. */
  show(options, draw) {
    this.#options = options;
    this.#list.replaceChildren(...options.map((option, index) => {
      const item = make("li", "option");
      item.id = `${this.#list.id}-${index}`;
      item.setAttribute("role", "option");
      item.append(...draw(option));
      return item;
    }));
    this.#list.hidden = options.length === 0;
    this.#field.setAttribute("aria-expanded", String(options.length > 0));
    this.#choose(0);
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
