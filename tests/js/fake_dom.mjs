// As much of a document as the drawing of a row needs, for the tests beside this file.

class FakeElement {
  constructor(tag) {
    Object.assign(this, { tag, dataset: {}, children: [], attributes: {}, className: "", hidden: false });
  }

  append(...parts) {
    this.children.push(...parts);
  }

  replaceChildren(...parts) {
    this.children = parts;
  }

  setAttribute(name, value) {
    this.attributes[name] = value;
  }

  set textContent(text) {
    this.children = [text];
  }

  get textContent() {
    return this.children.map((part) => part?.textContent ?? String(part)).join("");
  }

  /** Texts are plain strings here, so there is nothing to walk through. */
  get childNodes() {
    return [];
  }

  /** This element and all in it. */
  get all() {
    return [this, ...this.children.flatMap((part) => part?.all ?? [])];
  }
}

/** Stands for the document of a browser. */
export const fakeDocument = {
  createElement: (tag) => new FakeElement(tag),
  createTextNode: (text) => text,
  createElementNS: (_, tag) => new FakeElement(tag),
};
