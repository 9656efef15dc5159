// What outlives a reload: the outbox of this tab, kept for the node it was written for, since two nodes can
// be forwarded to one port. A tab that is closed leaves its outbox to the next one: a lock, held as long
// as a tab lives, tells whose is orphaned.

const TAB = "roomful.tab";

const lockOf = (tab) => `roomful.tab.${tab}`;
const prefixOf = (node) => `roomful.outbox.${node}.`;

/** Holds the lock for as long as this tab lives. Answers whether it was free. */
function holdFor(tab) {
  return new Promise((resolve) => {
    navigator.locks.request(lockOf(tab), { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock === null ? undefined : new Promise(() => {});
    });
  });
}

async function ownTab() {
  const before = sessionStorage.getItem(TAB);
  // A duplicated tab brings its twin's name along, but not the lock.
  if (before !== null && (await holdFor(before))) return before;
  const tab = crypto.randomUUID();
  sessionStorage.setItem(TAB, tab);
  await holdFor(tab);
  return tab;
}

async function livingTabs() {
  const { held } = await navigator.locks.query();
  return new Set(held.map((lock) => lock.name));
}

/** Opens what is kept for a node. `texts` are the outboxes found: this tab's own, and orphaned ones. */
export async function openStore(node) {
  try {
    const prefix = prefixOf(node);
    const tab = await ownTab();
    const living = await livingTabs();
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(prefix));
    const ours = keys.filter((key) => key === prefix + tab || !living.has(lockOf(key.slice(prefix.length))));
    const texts = ours.map((key) => localStorage.getItem(key));
    for (const key of ours) localStorage.removeItem(key);
    return { texts, save: (text, isEmpty) => save(prefix + tab, text, isEmpty) };
  } catch {
    return { texts: [], save: () => {} }; // storage is forbidden: the outbox lives as long as the page
  }
}

function save(key, text, isEmpty) {
  try {
    if (isEmpty) localStorage.removeItem(key);
    else localStorage.setItem(key, text);
  } catch {
    // Full: what is on the screen still goes out.
  }
}
