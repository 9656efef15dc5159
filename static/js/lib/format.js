// Dates, times, numbers and lists in words: the browser's business, in the language of the texts.

import { LANGUAGE } from "../locales/en.js";

// The language of the texts, with the habits of the reader's own region where it is the same language.
const preferred = globalThis.navigator?.languages?.find((tag) => tag.split("-")[0] === LANGUAGE);
const locale = preferred ?? "en-GB";
const format = (options) => new Intl.DateTimeFormat(locale, options);
const clock = format({ timeStyle: "short" });
const full = format({ dateStyle: "full", timeStyle: "medium" });
const longDay = format({ weekday: "long", day: "numeric", month: "long" });
const longDayYear = format({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
const weekday = format({ weekday: "short" });
const shortDay = format({ day: "numeric", month: "short" });
const shortDayYear = format({ day: "numeric", month: "short", year: "numeric" });
const relative = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "auto" });
const list = new Intl.ListFormat(LANGUAGE);
const seconds = new Intl.NumberFormat(locale, { style: "unit", unit: "second", unitDisplay: "short" });
const minutes = new Intl.NumberFormat(locale, { style: "unit", unit: "minute", unitDisplay: "short" });
const hours = new Intl.NumberFormat(locale, { style: "unit", unit: "hour", unitDisplay: "short" });

export const timeText = (at) => clock.format(at);
export const fullTimeText = (at) => full.format(at);

/** The time alone, without am or pm, for the narrow gutter beside a row whose group already says it. */
export function gutterTimeText(at) {
  const parts = clock.formatToParts(at).filter((part) => part.type !== "dayPeriod");
  return parts
    .map((part) => part.value)
    .join("")
    .trim();
}

function daysAgo(at, now) {
  const midnight = (ms) => new Date(ms).setHours(0, 0, 0, 0);
  return Math.round((midnight(now) - midnight(at)) / 86_400_000);
}

export function dayText(at, now) {
  const days = daysAgo(at, now);
  if (days === 0 || days === 1) return capital(relative.format(-days, "day"));
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  return (sameYear ? longDay : longDayYear).format(at);
}

/** "08:12", "Tue" or "3 Nov": since when a member is here. */
export function sinceText(at, now) {
  const days = daysAgo(at, now);
  if (days <= 0) return timeText(at);
  if (days < 7) return weekday.format(at);
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  return (sameYear ? shortDay : shortDayYear).format(at);
}

/** "18:40", "yesterday 18:40", "Tue 09:15", "3 Nov": when a member left. */
export function whenText(at, now) {
  const days = daysAgo(at, now);
  if (days <= 0) return timeText(at);
  if (days === 1) return `${relative.format(-1, "day")} ${timeText(at)}`;
  return days < 7 ? `${weekday.format(at)} ${timeText(at)}` : sinceText(at, now);
}

export function spanText(ms) {
  const s = Math.round(ms / 1000);
  if (s < 90) return seconds.format(s);
  return s < 5400 ? minutes.format(Math.round(s / 60)) : hours.format(Math.round(s / 3600));
}

/** "1.5 MB" */
export function sizeText(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const options = { style: "unit", unit: units[power], unitDisplay: "short", maximumFractionDigits: power > 0 ? 1 : 0 };
  return new Intl.NumberFormat(locale, /** @type {Intl.NumberFormatOptions} */ (options)).format(bytes / 1000 ** power);
}

export function agoText(ms) {
  return new Intl.RelativeTimeFormat(LANGUAGE, { style: "narrow" }).format(
    -Math.max(0, Math.round(ms / 1000)),
    "second",
  );
}

/** A list in words, as parts: `[{type: "element", value}, {type: "literal", value: " and "}…]`. */
export const listParts = (values) => list.formatToParts(values);
export const listText = (values) => list.format(values);
export const byName = new Intl.Collator(LANGUAGE, { sensitivity: "base", numeric: true }).compare;

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
