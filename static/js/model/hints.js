// Lines that only this user sees: one in each conversation.

export function setHint(state, conversation, hint) {
  state.hints.set(conversation, hint);
}

export function clearHint(state, conversation) {
  state.hints.delete(conversation);
}

export const hintsIn = (state, conversation) => (state.hints.has(conversation) ? [state.hints.get(conversation)] : []);
