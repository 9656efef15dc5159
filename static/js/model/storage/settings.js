// What the user chose, for one node.

import { read, write } from "../../lib/storage.js";

export const DEFAULT_SETTINGS = {
  notices: "direct",
  texts: true,
  sounds: "direct",
  quiet: false,
  sort: "recent",
  muted: [],
  hidden: {},
  enterSends: true,
  joy: true,
  typing: true,
  cleanPictures: false,
};

const keyFor = (node) => `roomful.choices.${node}`;

/** Takes what was kept for the node of this session. */
export function loadSettings(state) {
  try {
    state.settings = { ...DEFAULT_SETTINGS, ...JSON.parse(read(keyFor(state.session.me)) ?? "{}") };
  } catch {
    // Another program wrote it: what was chosen last still counts.
  }
}

/** Changes some settings. Where storage is forbidden they last as long as the page. */
export function changeSettings(state, changes) {
  loadSettings(state); // another tab may have changed others
  state.settings = { ...state.settings, ...changes };
  write(keyFor(state.session.me), JSON.stringify(state.settings));
}

export const isMuted = (state, id) => state.settings.muted.includes(id);

export function setMuted(state, id, isOn) {
  loadSettings(state);
  const others = state.settings.muted.filter((other) => other !== id);
  changeSettings(state, { muted: isOn ? [...others, id] : others });
}

/** Takes a conversation out of the list until something new is written in it. */
export function hideConversation(state, { id, newest, read }) {
  loadSettings(state);
  changeSettings(state, { hidden: { ...state.settings.hidden, [id]: Math.max(newest, read) } });
}

/** Whether the user has hidden a conversation, and nothing came since. */
export function isHidden(state, { id, newest, unread }) {
  const until = state.settings.hidden[id];
  return until !== undefined && unread === 0 && newest <= until;
}
