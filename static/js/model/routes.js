// Which conversation is open, and the addresses of conversations and messages.

import {
  channelId,
  channelOf,
  conversation,
  conversationOf,
  defaultChannel,
  directId,
  isDirect,
  peerOf,
  UNNAMED,
} from "./conversations.js";
import { isShort, placeMarker } from "./unread.js";

const OPENED_MAX = 10; // conversations of which much is kept

/** `{ conversation, message }` of an address's fragment, or the default channel; the message may be null. */
export function parseRoute(fragment, fallback = UNNAMED) {
  const [, kind, name, message = null] = /^#\/(channel|with)\/([^/]+)(?:\/([0-9a-f]+))?$/.exec(fragment) ?? [];
  if (kind === "with") return { conversation: directId(name), message };
  try {
    if (kind === "channel") return { conversation: channelId(decodeURIComponent(name)), message };
  } catch {
    // No page makes such an address.
  }
  return { conversation: fallback, message: null };
}

/** The address of a conversation, or of a message in it: what [`parseRoute`] reads. */
export function addressOf(id, message = null) {
  const place = isDirect(id) ? `#/with/${peerOf(id)}` : `#/channel/${encodeURIComponent(channelOf(id))}`;
  return message === null ? place : `${place}/${message}`;
}

/** A link that the other member copied names a direct conversation by this user. */
export function seenFromHere(state, id, message) {
  const { me } = state.session;
  const named = state.messages.get(message);
  return peerOf(id) === me && named ? conversationOf(named, me) : id;
}

/** Opens a conversation. It is not shown yet if too little of it is loaded. */
export function openRoute(state, { conversation: id, message = null }) {
  state.route = { conversation: id, message };
  state.opened = [id, ...state.opened.filter((other) => other !== id)].slice(0, OPENED_MAX);
  placeMarker(state, id);
  state.pendingRoute = isShort(state, conversation(state, id)) ? id : null;
  state.ui.composerMode = { type: "compose" };
}

/** The node has named the channel that opens first: what was done before it did belongs there. */
export function nameDefaultChannel(state) {
  const id = defaultChannel(state);
  const named = (one) => (one === UNNAMED ? id : one);
  state.conversations.delete(UNNAMED);
  state.opened = [...new Set(state.opened.map(named))];
  state.route = { ...state.route, conversation: named(state.route.conversation) };
  for (const [ref, operation] of state.operations) {
    if (operation.conversation === UNNAMED) state.operations.set(ref, { ...operation, conversation: id });
  }
  const draft = state.drafts.get(UNNAMED);
  if (draft === undefined) return;
  state.drafts.delete(UNNAMED);
  state.drafts.set(id, draft);
}

/** Shows the open conversation with what is loaded of it. */
export function settleRoute(state, id) {
  if (state.pendingRoute === id) state.pendingRoute = null;
}

/** The message that the address named was shown, or nothing of long ago is shown any more. */
export function setRouteMessage(state, message) {
  state.route = { ...state.route, message };
}
