// Notices of members who come, go and change their names.

import { defaultChannel, peerOf } from "./conversations.js";
import { indexName } from "./members/name_index.js";

const NOTICES_MAX = 1000;

export function addNotice(state, notice) {
  state.session.arrival = Math.max(state.session.arrival, notice.arrival);
  indexName(state, notice.member, notice.name);
  const { notices } = state;
  const after = notices.findLastIndex((one) => one.arrival <= notice.arrival);
  if (notices[after]?.arrival === notice.arrival) return; // here already
  const entry = { ...notice, at: Date.parse(notice.time) };
  state.notices = [...notices.slice(0, after + 1), entry, ...notices.slice(after + 1)].slice(-NOTICES_MAX);
}

/** Notices belong to the whole room; in a direct conversation only the peer's. */
export function noticesIn(state, conversation) {
  if (conversation === defaultChannel(state)) return state.notices;
  const peer = peerOf(conversation);
  return peer === null ? [] : state.notices.filter((notice) => notice.member === peer);
}
