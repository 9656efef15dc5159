// Graphemes, and the messages that are nothing but emoji.

export const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const EMOJI = /^(?:\p{Extended_Pictographic}|\p{Regional_Indicator}{2})/u;

/** Up to three emoji and nothing else are worth being seen. */
export function isLoneEmoji(text) {
  if (text.length > 60 || !EMOJI.test(text.trimStart())) return false;
  const seen = [...graphemes.segment(text.replace(/\s/g, ""))];
  return seen.length >= 1 && seen.length <= 3 && seen.every(({ segment }) => EMOJI.test(segment));
}
