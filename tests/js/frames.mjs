// Frames as a node sends them, in small, for the tests beside this file.

export const ME = "aa".repeat(32);
export const ANA = "bb".repeat(32);
export const BEN = "cc".repeat(32);
export const GENERAL = "c:general";
export const T0 = Date.parse("2026-11-22T14:00:00Z");

const order = (place) => String(place).padStart(12, "0");

export function member(id, name, fields = {}) {
  return {
    id,
    name,
    state: "online",
    self: id === ME,
    addresses: ["192.0.2.9"],
    since: "2026-11-22T08:00:00Z",
    direct: true,
    ...fields,
  };
}

/** A message whose place, time and arrival follow from `n` unless they are given. */
export function message(
  n,
  { author = ANA, name = author === ANA ? "Ana" : author === BEN ? "Ben" : "Kai", place = n, ...fields } = {},
) {
  const text = fields.text ?? `text ${n}`;
  return {
    id: `id${n}`,
    author,
    name,
    time: new Date(T0 + n * 1000).toISOString(),
    kind: "say",
    channel: fields.to ? null : "general",
    to: null,
    text,
    spans: [{ type: "text", text }],
    held_by: author === ME ? 0 : null,
    of: author === ME ? 2 : null,
    order: order(place),
    arrival: n,
    ...fields,
  };
}

export function notice(n, kind, id = ANA, fields = {}) {
  return {
    arrival: n,
    time: new Date(T0 + n * 1000).toISOString(),
    kind,
    member: id,
    name: id === ANA ? "Ana" : "Ben",
    ...fields,
  };
}

export function welcome(messages = [], fields = {}) {
  return {
    type: "welcome",
    run: "run-1",
    bearer: "b",
    node: { id: ME, name: "Kai", room: "lobby" },
    members: [member(ME, "Kai"), member(ANA, "Ana"), member(BEN, "Ben")],
    conversations: [{ channel: "general", unread: 0, read: 0 }],
    messages,
    notices: [],
    before: null,
    arrival: messages.reduce((max, m) => Math.max(max, m.arrival), 0),
    reset: false,
    limits: { text_bytes: 32_768, name_graphemes: 32, name_bytes: 64, files: 10 },
    defaults: { channel: "general", room: "lobby", port: 7666 },
    ...fields,
  };
}
