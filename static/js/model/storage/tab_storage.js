// What outlives a reload and the tab: the outbox of this tab and what was begun to be written in it, kept for the node it
// was written for, since two nodes can be forwarded to one port. Each tab writes only its own; a tab that is closed
// leaves both to the next one: a lock, held as long as a tab lives, tells whose is orphaned.

import { keys, read, readOfTab, write, writeOfTab } from "../../lib/storage.js";

const TAB = "roomful.tab";

const lockOf = (tab) => `roomful.tab.${tab}`;
const outboxOf = (node) => `roomful.outbox.${node}.`;
const draftsOf = (node) => `roomful.drafts.${node}.`;

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
  const before = readOfTab(TAB) ?? null;
  // A duplicated tab brings its twin's name along, but not the lock.
  if (before !== null && (await holdFor(before))) return before;
  const tab = crypto.randomUUID();
  writeOfTab(TAB, tab);
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
    const tab = await ownTab();
    const living = await livingTabs();
    const orphans = (prefix) =>
      keys(prefix).filter((key) => {
        const owner = key.slice(prefix.length);
        return owner !== tab && !living.has(lockOf(owner));
      });
    const outboxes = [outboxOf(node) + tab, ...orphans(outboxOf(node))];
    const texts = outboxes.map(read).filter((text) => typeof text === "string");
    for (const key of outboxes) write(key, null);
    return {
      texts,
      /** Offers what was begun in tabs that are gone. What `take(conversation, text)` does not take waits for the next. */
      adoptDrafts(take) {
        for (const key of orphans(draftsOf(node))) {
          const left = Object.entries(parse(read(key))).filter(([place, text]) => !take(place, text));
          save(key, JSON.stringify(Object.fromEntries(left)), left.length === 0);
        }
      },
      save: (text, isEmpty) => save(outboxOf(node) + tab, text, isEmpty),
      saveDrafts: (own) => save(draftsOf(node) + tab, JSON.stringify(own), Object.keys(own).length === 0),
    };
  } catch {
    return { texts: [], adoptDrafts: () => {}, save: () => {}, saveDrafts: () => {} }; // forbidden: it lives as long as the page
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {}; // not written by us
  }
}

const save = (key, text, isEmpty) => write(key, isEmpty ? null : text);
