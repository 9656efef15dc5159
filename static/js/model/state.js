// The one state: everything that decides what is on the screen is in it. Only the modules of model/ change it, and a
// message is never changed in place, so that a view can tell by identity what it has to draw again.

import { UNNAMED } from "./conversations.js";
import { DEFAULT_SETTINGS } from "./storage/settings.js";

/** @typedef {ReturnType<typeof createState>} State */

export function createState() {
  return {
    session: {
      phase: "opening", // of the connection, as net/connection.js names them
      waitingSince: 0,
      retryAt: 0,
      cutSince: 0, // when the connection was lost; 0 while it stands, or before it ever stood
      stopping: false, // the node said that it stops
      back: null, // {fresh}: the connection is back, and so many messages came meanwhile
      node: null, // what the node says of itself
      me: null, // the user's own member id
      run: null,
      arrival: 0,
      limits: null, // of what may be sent, as the node tells them
      defaults: null, // what a node uses if its user gives nothing: channel, room and port
    },
    route: { conversation: UNNAMED, message: null },
    /** The open conversation while it is not shown yet, because too little of it is loaded. */
    pendingRoute: null,
    members: new Map(), // id -> Member
    nameIndex: new Map(), // confusable key -> ids that have or had such a name
    conversations: new Map(), // id -> conversation
    opened: [], // the ids of those that were opened last, the newest first
    messages: new Map(), // id -> message
    blockedMessages: new Map(), // id -> where a message stood whose author was blocked since
    refs: new Map(), // message id -> ref, of what this tab sent: one row from the first key to the last receipt
    unclaimed: new Set(), // ids of own messages that an operation may have made, until its answer says so
    operations: new Map(), // ref -> what the node has not confirmed yet, in the order in which it was done
    drafts: new Map(), // conversation -> what was begun there
    settings: { ...DEFAULT_SETTINGS },
    files: new Map(), // content -> File as it is now, of those that changed since their message came
    hints: new Map(), // conversation -> the one line in it that only this user sees
    notices: [], // in arrival order
    ui: {
      unfolded: new Set(), // keys of the rows that the reader has unfolded
      composerMode: { type: "compose" },
      isFindingPeers: false, // the room has no other member, and the page helps to fill it
    },
  };
}
