// Names that a reader would take for each other.

/** Letters of Cyrillic and Greek, and two digits, each before the Latin one that it looks like, as the node has them (src/proto/names/confusables.rs). */
const PAIRS =
  "АAВBЕEКKМMНHОOРPСCТTУYХXІIЈJЅSаaеeоoрpсcуyхxіiјjѕsһhԁdԛqԝwӏlкkΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXοoαaνvιiρpκkıiɑaɡg0o1l";

const letters = [...PAIRS];
const latin = new Map(letters.flatMap((letter, i) => (i % 2 === 0 ? [[letter, letters[i + 1]]] : [])));

/** What a name looks like: equal for two names that a reader would take for one. */
function keyOfName(name) {
  const plain = [...name.normalize("NFKC").replace(/[\u200c\u200d]|[\ufe00-\ufe0f]/g, "")];
  const read = plain.map((letter) => latin.get(letter) ?? letter).join("");
  // A capital I in the middle of a word is read as a small l.
  return read
    .replace(/(?<=\p{Ll})I/gu, "l")
    .toUpperCase()
    .toLowerCase();
}

/** Two names that look alike to a person are one here: case, width and other scripts do not tell people apart. */
export function confusableKey(name) {
  let folded = folds.get(name);
  if (folded === undefined) {
    if (folds.size >= FOLDS_MAX) folds.clear();
    folds.set(name, (folded = keyOfName(name)));
  }
  return folded;
}

const FOLDS_MAX = 1000;
const folds = new Map(); // every row of every drawing asks for its author's
