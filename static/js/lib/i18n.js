// The texts of the catalogue, with their gaps filled.

import { LANGUAGE, texts } from "../locales/en.js";

const plurals = new Intl.PluralRules(LANGUAGE);
const numbers = new Intl.NumberFormat(LANGUAGE);

/** The text of `key`; where it counts, the form for `values.n`. Gaps that have no value stay visible. */
export function t(key, values = {}) {
  return fillGaps(formOf(key, values), values);
}

/** The text with its gaps still in it, for filling them with elements. */
export function formOf(key, values = {}) {
  const text = texts[key];
  if (text === undefined) throw new Error(`no text for ${key}`);
  return typeof text === "string" ? text : (text[values.n] ?? text[plurals.select(values.n)] ?? text.other);
}

function fillGaps(text, values) {
  return text.replace(/\{(\w+)\}/g, (gap, name) => {
    const value = values[name];
    return value === undefined ? gap : typeof value === "number" ? numbers.format(value) : value;
  });
}
