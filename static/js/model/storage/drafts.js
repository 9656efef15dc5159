// What was begun to be written: one draft for each conversation of each node.

import { keysOfTab, readOfTab, writeOfTab } from "../../lib/storage.js";
import { conversation } from "../conversations.js";

const keyFor = (node, conversation) => `roomful.draft.${node}.${conversation}`;

export const draftOf = (state, conversation) => state.drafts.get(conversation) ?? "";

export function setDraft(state, conversation, text) {
  if (text === "") state.drafts.delete(conversation);
  else state.drafts.set(conversation, text);
}

/** Keeps the draft of a conversation for this tab. Where storage is forbidden or full it lives as long as the page. */
export function keepDraft(state, conversation) {
  const { me } = state.session;
  if (me !== null) writeOfTab(keyFor(me, conversation), state.drafts.get(conversation) ?? null);
}

/** Takes the drafts that this tab kept before it was loaded again; those of this page stay. */
export function loadDrafts(state) {
  const prefix = keyFor(state.session.me, "");
  for (const key of keysOfTab(prefix)) {
    const id = key.slice(prefix.length);
    if (!state.drafts.has(id)) setDraft(state, id, readOfTab(key) ?? "");
  }
}

/** Takes the draft of a tab that is gone, unless something was begun in that conversation here. */
export function adoptDraft(state, id, text) {
  if (state.drafts.has(id)) return false;
  setDraft(state, id, text);
  keepDraft(state, id);
  conversation(state, id); // so that it is listed
  return true;
}
