// Members, and who of them is in reach.

import { peerOf } from "../conversations.js";
import { indexName } from "./name_index.js";

export function setMember(state, member) {
  state.members.set(member.id, member);
  indexName(state, member.id, member.name);
}

/** The user, once the node has said who that is. */
export const ownMember = (state) => state.members.get(state.session.me);

export function inReach(member) {
  return member.state === "online" || member.state === "unsure";
}

export function othersInReach(state) {
  let count = 0;
  for (const member of state.members.values()) {
    if (!member.self && inReach(member)) count += 1;
  }
  return count;
}

/** Whether a member could take a message of this conversation right now; a direct one goes over no third node. */
export function hasReachableRecipient(state, conversation) {
  const peer = peerOf(conversation);
  if (peer === null) return othersInReach(state) > 0;
  const member = state.members.get(peer);
  return member !== undefined && inReach(member) && member.direct;
}
