// The key that opens the node, and the proofs over it. It comes once, in the fragment of the link that `roomful url`
// prints, and is kept as one that no script can read back: a program that owns this port tomorrow also owns what the page stored,
// and must find nothing there that opens a node.

const WORDS = { node: new TextEncoder().encode("node"), page: new TextEncoder().encode("page") };

export function fromHex(hex) {
  if (typeof hex !== "string" || hex.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(hex)) return null;
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

export function toHex(bytes) {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function newNonce() {
  return crypto.getRandomValues(new Uint8Array(32));
}

/** The token in a link's fragment, or null: `#token=` and 64 hex digits. */
export function tokenIn(fragment) {
  return /^#token=([0-9a-f]{64})$/i.exec(fragment)?.[1] ?? null;
}

export function importToken(hex) {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", fromHex(hex), algorithm, false, ["sign", "verify"]);
}

/** What both sides prove over: the role's name, the page's nonce, the node's nonce. */
function statement(role, pageNonce, nodeNonce) {
  const word = WORDS[role];
  const bytes = new Uint8Array(word.length + pageNonce.length + nodeNonce.length);
  bytes.set(word, 0);
  bytes.set(pageNonce, word.length);
  bytes.set(nodeNonce, word.length + pageNonce.length);
  return bytes;
}

/** Whether the one who answered holds our token. Nothing more is said to one who does not. */
export async function nodeIsOurs(key, pageNonce, nodeNonce, proof) {
  if (nodeNonce?.length !== 32 || proof?.length !== 32) return false;
  return crypto.subtle.verify("HMAC", key, proof, statement("node", pageNonce, nodeNonce));
}

export async function proveOurselves(key, pageNonce, nodeNonce) {
  return toHex(await crypto.subtle.sign("HMAC", key, statement("page", pageNonce, nodeNonce)));
}

// One key per origin, the last link wins. Where IndexedDB is forbidden the key lasts as long as the tab.
let inMemory = null;

function store(mode, act) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("roomful", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("keys");
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const db = opening.result;
      const transaction = db.transaction("keys", mode);
      const request = act(transaction.objectStore("keys"));
      transaction.oncomplete = () => {
        db.close();
        resolve(request.result);
      };
      transaction.onerror = () => reject(transaction.error);
    };
  });
}

/** Takes the token out of the address, and out of the history, and keeps it as a key. */
export async function takeKeyFromAddress() {
  const token = tokenIn(location.hash);
  if (token === null) return false;
  inMemory = await importToken(token);
  try {
    await store("readwrite", (keys) => keys.put(inMemory, "token"));
  } catch {
    // Kept in memory only: the page works, and asks for the link again after a reload.
  }
  history.replaceState(null, "", location.pathname); // only now: a reload in between would lose it
  return true;
}

export async function loadKey() {
  try {
    return (await store("readonly", (keys) => keys.get("token"))) ?? inMemory;
  } catch {
    return inMemory;
  }
}
