// Conversations: how they are named in frames, addresses and lists, and which part of one is loaded.

import { nameText } from "../lib/member_name.js";
import { isShared } from "./members/name_index.js";

/** Stands for the channel that opens first, until the node has named it. */
export const UNNAMED = "c:";
const LISTED_MAX = 300; // conversations: more than a reader looks through

/**
 * @typedef {import("../types.d.ts").Message} Message
 * @typedef {import("../types.d.ts").Conversation} Conversation
 */

export const channelId = (name) => `c:${name}`;
export const directId = (member) => `d:${member}`;
export const isDirect = (id) => id.startsWith("d:");

/** The channel that opens first, as the node names it. */
export const defaultChannel = ({ session: { defaults } }) => (defaults ? channelId(defaults.channel) : UNNAMED);

/** The name of a channel, or null. */
export const channelOf = (id) => (isDirect(id) ? null : id.slice(2));

/** The other member of a direct conversation, or null. */
export const peerOf = (id) => (isDirect(id) ? id.slice(2) : null);

/** The conversation in which a message was written. */
export function conversationOf(message, me) {
  if (message.to) return directId(message.author === me ? message.to : message.author);
  return channelId(message.channel);
}

/** The conversation that a frame names by `channel` or by `with`. */
export const conversationInFrame = (frame) => (frame.with ? directId(frame.with) : channelId(frame.channel));

/** The fields by which a frame or a query names a conversation. */
export const fieldsOf = (id) => (isDirect(id) ? { with: peerOf(id) } : { channel: channelOf(id) });

/** The fields of a `say` that say where it goes. */
export const targetOf = (id) => (isDirect(id) ? { to: peerOf(id) } : { channel: channelOf(id) });

/** @returns {Conversation} */
export function conversation(state, id) {
  let found = state.conversations.get(id);
  if (!found) {
    found = {
      id,
      kind: isDirect(id) ? "direct" : "channel",
      channel: channelOf(id),
      peer: peerOf(id),
      messages: [],
      floor: null,
      detached: null,
      unread: 0,
      mentions: 0,
      topic: "",
      read: 0,
      newest: 0,
      marker: null,
      seen: new Set(),
      late: [],
      exists: false,
    };
    state.conversations.set(id, found);
  }
  return found;
}

/** The open conversation. */
export const openConversation = (state) => conversation(state, state.route.conversation);

/** The part of a conversation that is shown. */
export const rangeOf = (conversation) => conversation.detached ?? conversation;

/** All parts of a conversation that are loaded. */
export const rangesOf = (conversation) =>
  conversation.detached === null ? [conversation] : [conversation, conversation.detached];

/**
 * The ids of the conversations that are listed. Members can make any number of channels, so of very many those stay
 * that concern this reader (`isOurs(id)`, direct ones, those read before) and those that began last.
 */
export function listedConversations(state, isOurs) {
  const all = [...state.conversations.values()].filter(({ id, exists }) => exists || isOurs(id));
  const matters = ({ id, read }) => id === defaultChannel(state) || read > 0 || isDirect(id) || isOurs(id);
  const ours = all.filter(matters);
  const others = all.filter((one) => !matters(one));
  const room = Math.max(0, LISTED_MAX - ours.length);
  return [...ours, ...(room > 0 ? others.slice(-room) : [])].map(({ id }) => id);
}

/** The names of the channels that the node knows. */
export const channelNames = (state) =>
  [...state.conversations.values()]
    .filter(({ exists, channel }) => exists && channel !== null)
    .map(({ channel }) => channel);

/** What a conversation is called: "# general", or the other member's name. */
export function conversationName(state, id) {
  if (!isDirect(id)) return `# ${channelOf(id)}`;
  const peer = peerOf(id);
  const { name = "" } = state.members.get(peer) ?? {};
  return nameText(peer, name, isShared(state, name));
}
