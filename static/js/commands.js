// What a line that begins with a slash means. Pure. Only the composer knows commands: on every other
// way into a node a slash is text. A command that does not exist is never sent, so that a slip of the
// finger does not end up on everybody's screen.

export const COMMANDS = [
  { name: "members", usage: "/members" },
  { name: "help", usage: "/help" },
  { name: "history", usage: "/history [N]" },
  { name: "name", usage: "/name NAME" },
  { name: "hooray", usage: "/hooray [TEXT]" },
  { name: "exit", usage: "/exit" },
];

/** `{kind: "text", text}`, `{kind: "command", name, rest}` or `{kind: "unknown", name, rest, nearest}`. */
export function parse(line) {
  if (!line.startsWith("/")) return { kind: "text", text: line };
  if (line.startsWith("//")) return { kind: "text", text: line.slice(1) };
  const [, typed, rest] = /^\/(\S*)\s*([\s\S]*)$/.exec(line);
  const name = typed.toLowerCase();
  if (COMMANDS.some((command) => command.name === name)) return { kind: "command", name, rest: rest.trim() };
  return { kind: "unknown", name: typed, rest, nearest: nearest(name) };
}

/** The commands that begin like what stands before the caret; none once the command's word is over. */
export function complete(line, caret) {
  const word = /^\/([a-z]*)$/i.exec(line.slice(0, caret))?.[1];
  if (word === undefined || line.startsWith("//")) return [];
  if (/^\S/.test(line.slice(caret))) return [];
  return COMMANDS.filter((command) => command.name.startsWith(word.toLowerCase()));
}

/** The command that was most likely meant, or null if nothing comes near. */
export function nearest(name) {
  if (name === "") return null;
  let best = { name: null, far: Infinity };
  for (const command of COMMANDS) {
    const far = command.name.startsWith(name) ? 0 : distance(name, command.name);
    if (far < best.far) best = { name: command.name, far };
  }
  return best.far <= Math.max(1, Math.floor(best.name.length / 2)) ? best.name : null;
}

/** How many letters to add, drop, change or swap with the next one. */
function distance(a, b) {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    rows.push([i]);
    for (let j = 1; j <= b.length; j += 1) {
      const change = rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      rows[i][j] = Math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, change);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) rows[i][j] = Math.min(rows[i][j], rows[i - 2][j - 2] + 1);
    }
  }
  return rows[a.length][b.length];
}
