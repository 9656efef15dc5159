// What is open, folded and begun on this page.

export function toggleUnfolded(state, key) {
  const { unfolded } = state.ui;
  if (!unfolded.delete(key)) unfolded.add(key);
}

export function setFindingPeers(state, isFindingPeers) {
  state.ui.isFindingPeers = isFindingPeers;
}

/** What the composer does with the next message: `{ type, …}`, a key of the composer's modes and what it needs. */
export function setComposerMode(state, mode) {
  state.ui.composerMode = mode;
}
