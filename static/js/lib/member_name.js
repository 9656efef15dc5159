// The short id and the name of a member as text.

/** The short form of an id, as everywhere else: base32 of its first five bytes. */
export function shortOf(id) {
  const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  let bits = 0n;
  for (let i = 0; i < 10; i += 2) bits = (bits << 8n) | BigInt(parseInt(id.slice(i, i + 2), 16) || 0);
  let short = "";
  for (let shift = 35n; shift >= 0n; shift -= 5n) short += alphabet[Number((bits >> shift) & 31n)];
  return short;
}

/** A name with the short id where another key has the same name. */
export function nameText(id, name, shared) {
  return shared ? `${name} ${shortOf(id)}` : name || shortOf(id);
}
