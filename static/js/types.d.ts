// What crosses a module, for editors and `tsc`: the forms that the node sends, and what this page makes of them.
// Nothing of this is loaded by a browser.

/** 64 hex digits. */
export type Id = string;
/** Such as "2026-11-22T14:05:00.123Z". */
export type Time = string;
/** `c:NAME` or `d:ID`, as `channelId` and `directId` make it. */
export type ConversationId = string;

export type Span =
  | { type: "text" | "code"; text: string }
  | { type: "pre"; text: string; lang: string | null }
  | { type: "em" | "strong" | "strike" | "quote"; spans: Span[] }
  | { type: "link"; href: string; spans: Span[] }
  | { type: "mention"; id: Id; text: string };

/** A message as the node tells it, and with the times that the page works out. */
export interface Message {
  id: Id;
  author: Id;
  name: string;
  time: Time;
  kind: "say" | "hooray";
  channel: string | null;
  to: Id | null;
  text: string;
  spans: Span[] | null;
  reply_to: Id | null;
  /** What it answers, if that is here. */
  reply?: { id: Id; author: Id; name: string; text: string; deleted: boolean } | null;
  edited?: Time | null;
  deleted?: boolean;
  mentions?: Id[];
  reactions?: { emoji: string; by: Id[] }[];
  held_by: number | null;
  of: number | null;
  order: string;
  arrival: number;
  /** When it was written, in milliseconds. */
  at: number;
  /** The sender's clock is ahead: `at` is when it arrived. */
  skewed: boolean;
  [later: string]: unknown;
}

export interface Member {
  id: Id;
  name: string;
  short: string;
  own: boolean;
  state: "online" | "unsure" | "left" | "lost";
  verified: boolean;
  muted: boolean;
  blocked: boolean;
  forked: boolean;
  [field: string]: unknown;
}

export interface Notice {
  arrival: number;
  time: Time;
  kind: "joined" | "back" | "left" | "lost" | "renamed" | "conflict" | "forked";
  member: Id;
  name: string;
}

/** A frame from the node: its type, and the fields of that type. */
// biome-ignore lint/suspicious/noExplicitAny: each type has fields of its own, which its handler knows
export type Frame = { type: string; ref?: string } & Record<string, any>;

export interface Operation {
  ref: string;
  /** A key of [`operationKinds`]. */
  kind: string;
  conversation: string;
  /** The message that it changes. */
  target: string | null;
  text: string;
  /** What its frame says besides, such as `reply_to`. */
  fields: Record<string, unknown>;
  at: number;
  status: "waiting" | "sent" | "failed" | "done";
  /** It may have reached the node. */
  tried: boolean;
  /** Why the node refused it. */
  error: string | null;
}

export interface OperationKind {
  /** How it is shown before the node has confirmed it: as a message of its own at the end, or as a changed message. */
  overlay: "append" | "replace" | "merge";
  /** What is sent, without `ref`. */
  frame: (operation: Operation) => Omit<Frame, "ref">;
  /** The changed message; not for "append". */
  apply?: (message: Message, operation: Operation, me: string) => Message;
}

export interface Conversation {
  id: string;
  kind: "channel" | "direct";
  /** The name of a channel. */
  channel: string | null;
  /** The other member of a direct conversation. */
  peer: string | null;
  /** In the order of the room; everything from `floor` on is loaded. */
  messages: Message[];
  /** Null: everything there is. */
  floor: string | null;
  /** A part of long ago that is shown instead of the newest. */
  detached: { messages: Message[]; floor: string | null; ceiling: string } | null;
  unread: number;
  /** How many of those mention the user, as the node said last. */
  mentions: number;
  /** Of a channel. */
  topic: string;
  /** Up to which arrival number everything is read. */
  read: number;
  /** The messages that were read beyond `read`. */
  seen: Set<string>;
  /** The highest arrival number in it. */
  newest: number;
  /** The messages that arrived for a place that was read already. */
  late: string[];
  /** The first message that was not read when it was opened; undefined until that is loaded. */
  marker: string | null | undefined;
  /** The node knows it. */
  exists: boolean;
}

export interface MessageRow {
  type: "message";
  /** What it answers. */
  // biome-ignore lint/suspicious/noExplicitAny: made by a feature
  quote?: any;
  key: string;
  /** As the node told it, with the user's own unconfirmed changes; a view compares it by reference. */
  message: Message;
  /** The first of a group, with picture, name and time. */
  isHead: boolean;
  /** A long message is unfolded. */
  isOpen: boolean;
  /** Another member has the author's name too. */
  isShared: boolean;
  isOwn: boolean;
  /** It is not in the node yet. */
  isPending: boolean;
  /** Of the operation that is not confirmed yet. */
  ref: string | null;
  /** How far it has got, if that is worth saying. */
  code: string | null;
  /** How many members have received it. */
  k?: number;
  /** Of how many. */
  n?: number;
  /** Why it was not sent. */
  error?: string;
  /** In words, without being asked. */
  isStatusShown: boolean;
}

/** What the composer is in: a kind of text and what it is about. */
export interface Mode {
  type: string;
  id?: string;
  text?: string;
}

export interface ComposerMode {
  /** Whether the text in the field is the conversation's draft; else the mode has a text of its own, and the draft comes back when it is left. */
  keepsDraft: boolean;
  /** Whether a text that begins with a slash is a command. */
  takesCommands: boolean;
  /** The text of the button that submits, unless it says "Send". */
  button?: string;
  /** The line above the field that says what is being done. */
  banner?: (app: import("./app.js").App, mode: Mode) => string;
  /** The text that it begins with, where it does not keep the draft. */
  begin?: (app: import("./app.js").App, mode: Mode) => string;
  submit: (app: import("./app.js").App, text: string, mode: Mode) => void;
}

export interface Completion {
  /** What is put in the place of the word. */
  text: string;
  /** The next word may be completed too. */
  goesOn?: boolean;
  /** Is told when it was put in. */
  taken?: () => void;
  draw: () => (Node | string)[];
}

/** A row of the timeline, of whatever type. */
// biome-ignore lint/suspicious/noExplicitAny: each type of row has fields of its own
export type Row = any;

export interface MessageAction {
  /** What `data-act` of a button in a row says. */
  id: string;
  /** The words in the menu; without them it is not in the menu. */
  label?: (row: Row) => string;
  /** Where it stands in the menu, from 0; 1 unless said. */
  group?: number;
  /** A sign for the bar at the end of the row; without it it is only in the menu. */
  icon?: string;
  /** Whether it can be done with this row. */
  when: (row: Row, app: import("./app.js").App) => boolean;
  /** `part` is the button in the row, if it was one. */
  run: (row: Row, app: import("./app.js").App, part?: HTMLElement) => void;
}

export interface RowPart {
  /** Whether a row has this part at all; all have it unless said. */
  has?: (row: MessageRow) => boolean;
  /** Whether the part looks the same in both. */
  same: (a: MessageRow, b: MessageRow) => boolean;
  /** Fills the slot, which keeps what was drawn before; `element` is the row. */
  draw: (slot: HTMLElement, row: MessageRow, element: HTMLElement) => void;
}

export interface Shortcut {
  /** Such as "Control+K", "Alt+Shift+ArrowUp", "Escape"; Control is also the Mac's Command. */
  keys?: string[];
  /** Tells of other keys, where `keys` does not. */
  when?: (event: KeyboardEvent) => boolean;
  /** Returns false where the key means nothing right now: then others are asked. */
  // biome-ignore lint/suspicious/noConfusingVoidType: most keys answer nothing
  run: (event: KeyboardEvent) => boolean | void;
  /** Whether the browser does nothing with the key; true unless said. */
  prevents?: boolean;
  /** Those with a lower one are asked first; 0 unless said. */
  order?: number;
}

export interface ConversationAction {
  id: string;
  /** The words in the menu. */
  label: (id: string, app: import("./app.js").App) => string;
  /** Whether it can be done with this conversation. */
  when: (id: string, app: import("./app.js").App) => boolean;
  run: (id: string, app: import("./app.js").App) => void;
}

export interface Place {
  label: string;
  unread: number;
  /** Of a conversation. */
  id?: string;
  peer?: string | null;
  channel?: string | null;
  /** The name of a command. */
  command?: string;
}

export interface View {
  topics: string[];
  draw: () => void;
}

export interface Context {
  now: number;
  /** Whether its end is being read right now. */
  isBeingRead?: (conversation: string) => boolean;
  /** Tells the app what has happened, for what is no state. */
  emit?: (event: string, data: Record<string, unknown>) => void;
}
