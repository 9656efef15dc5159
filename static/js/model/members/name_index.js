// Which names more than one key has or had.

import { confusableKey } from "./confusables.js";

/** Notes that this key has or had a name. */
export function indexName(state, id, name) {
  const key = confusableKey(name ?? "");
  const ids = state.nameIndex.get(key);
  if (ids) ids.add(id);
  else state.nameIndex.set(key, new Set([id]));
}

/** Whether another key has this name too, or had it: then the name alone says nothing. */
export function isShared(state, name) {
  return (state.nameIndex.get(confusableKey(name ?? ""))?.size ?? 0) > 1;
}

/** The other members who have this name, or one that looks like it, as they are now. */
export function namesakes(state, id, name) {
  const ids = state.nameIndex.get(confusableKey(name)) ?? [];
  return [...ids]
    .filter((other) => other !== id)
    .map((other) => state.members.get(other))
    .filter(Boolean);
}
