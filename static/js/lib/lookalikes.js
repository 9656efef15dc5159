// Names that a reader takes for the same, told as the node tells them (src/proto/lookalikes.rs).

/** Letters of Cyrillic and Greek, each before the Latin one that it looks like. */
const PAIRS = "АAВBЕEКKМMНHОOРPСCТTУYХXІIЈJЅSаaеeоoрpсcуyхxіiјjѕsһhԁdԛqԝwӏlкkΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXοoαaνvιiρpκkıiɑaɡg";

const letters = [...PAIRS];
const latin = new Map(letters.flatMap((letter, i) => (i % 2 === 0 ? [[letter, letters[i + 1]]] : [])));

/** What a name looks like: equal for two names that a reader would take for one. */
export function looks(name) {
  const plain = [...name.normalize("NFKC").replace(/[\u200c\u200d\ufe00-\ufe0f]/g, "")];
  const read = plain.map((letter) => latin.get(letter) ?? letter).join("");
  // In the middle of a word nobody writes a capital I, and nobody sees that it is none of the small letters.
  return read.replace(/(?<=\p{Ll})I/gu, "l").toUpperCase().toLowerCase();
}
