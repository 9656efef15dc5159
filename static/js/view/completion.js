// The list above the composer of what a command could be completed to. The field keeps the focus and says which option is
// meant. It stays a textbox: of several lines there is no combobox, and a role that comes and goes is read out as another field.

import { complete } from "../commands.js";
import { byId, identicon, make, setText, shortOf } from "../lib/dom.js";
import { t } from "../lib/texts.js";

export class Completion {
  #field = byId("field");
  #list = byId("completion");
  #options = [];
  #chosen = 0;
  #dismissed = null; // the text for which Escape was pressed

  /** `take(text)` puts a completed line into the field; `places()` gives the channels and members there are. */
  constructor({ take, places }) {
    this.take = take;
    this.places = places;
    this.#list.addEventListener("pointerdown", (event) => {
      event.preventDefault(); // the field keeps the focus
      const index = [...this.#list.children].indexOf(event.target.closest("li"));
      if (index >= 0) this.#accept(this.#options[index]);
    });
    this.#field.addEventListener("blur", () => this.#close());
    this.#field.addEventListener("focus", () => this.update());
  }

  get isOpen() {
    return !this.#list.hidden;
  }

  update() {
    const text = this.#field.value;
    if (this.#dismissed !== null && text !== this.#dismissed) this.#dismissed = null;
    const options = this.#dismissed === null && document.activeElement === this.#field
      ? complete(text, this.#field.selectionStart, this.places()) : [];
    const counted = options.length !== this.#options.length;
    this.#options = options;
    if (options.length === 0) return this.#close();
    this.#chosen = Math.min(this.#chosen, options.length - 1);
    this.#draw();
    if (counted) setText(byId("announce"), t("completion.count", { n: options.length }));
  }

  /** Takes a key of the field, if the list is open and the key means something there. */
  key(event) {
    if (!this.isOpen || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return false;
    const count = this.#options.length;
    const option = this.#options[this.#chosen];
    if (event.key === "ArrowDown") this.#chosen = (this.#chosen + 1) % count;
    else if (event.key === "ArrowUp") this.#chosen = (this.#chosen + count - 1) % count;
    else if (event.key === "Escape") this.#dismiss();
    else if (event.key === "Tab" && !event.shiftKey) this.#accept(option);
    else if (event.key === "Enter" && !event.shiftKey && this.#field.value.trim() !== option.text.trim()) this.#accept(option);
    else return false;
    event.preventDefault();
    event.stopPropagation();
    if (this.isOpen) this.#draw();
    return true;
  }

  #accept(option) {
    this.#chosen = 0;
    this.take(option.text);
    this.#dismiss();
    if (option.name && !option.whole) this.#again(); // its next word may be completed too
  }

  #again() {
    this.#dismissed = null;
    this.update();
  }

  #dismiss() {
    this.#dismissed = this.#field.value;
    this.#close();
  }

  #close() {
    this.#list.hidden = true;
    this.#options = [];
    this.#chosen = 0;
    this.#field.removeAttribute("aria-haspopup");
    this.#field.removeAttribute("aria-controls");
    this.#field.removeAttribute("aria-activedescendant");
  }

  #draw() {
    this.#list.replaceChildren(...this.#options.map((option, index) => {
      const item = make("li", "option");
      item.id = `option-${index}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", String(index === this.#chosen));
      item.append(...partsOf(option));
      return item;
    }));
    this.#list.hidden = false;
    this.#field.setAttribute("aria-haspopup", "listbox");
    this.#field.setAttribute("aria-controls", this.#list.id);
    this.#field.setAttribute("aria-activedescendant", `option-${this.#chosen}`);
  }
}

function partsOf({ name, usage, member }) {
  if (name) return [make("code", "", usage), make("span", "meta", t(`command.${name}`))];
  if (!member) return [make("bdi", "", usage)];
  const mark = make("span", "mark");
  mark.append(identicon(member.id));
  return [mark, make("bdi", "", usage), make("code", "short", shortOf(member.id))];
}
