// Sends a file to the node, part by part. No more than a part is in memory, and after a break it goes on where it was.

const PART_BYTES = 8 * 1024 * 1024; // the node takes no larger ones
const TRIES_MAX = 6; // in a row, for one part
const WAIT_MS = 500;

/**
 * Resolves to the node's File; fails with a sentence for the user.
 *
 * @param {Blob & { name: string }} file
 * @param {object} how
 * @param {(path: string, options: object) => Promise<Response>} how.send
 * @param {(offset: number) => void} [how.progress]
 * @param {AbortSignal} [how.signal]
 * @param {(ms: number) => Promise<void>} [how.wait]
 */
export async function upload(file, { send, progress = () => {}, signal, wait = sleep }) {
  const begun = await send("/api/v1/uploads", {
    method: "POST",
    body: JSON.stringify({ name: file.name, size: file.size }),
    signal,
  });
  const { upload: id, offset: first } = await taken(begun);
  let offset = first;
  let failures = 0;
  for (;;) {
    const answer = await send(`/api/v1/uploads/${id}?offset=${offset}`, {
      method: "POST",
      body: file.slice(offset, offset + PART_BYTES),
      headers: { "Content-Type": "application/octet-stream" },
      signal,
    }).catch((error) => {
      failures += 1;
      if (signal?.aborted || failures >= TRIES_MAX) throw error;
      return null;
    });
    if (answer === null) {
      await wait(WAIT_MS * 2 ** failures);
      continue;
    }
    const body = await answer.json();
    if (body.content) return body;
    const isElsewhere = body.error === "bad_offset";
    if (!answer.ok && !isElsewhere) throw refusal(body);
    if (isElsewhere && (failures += 1) >= TRIES_MAX) throw refusal(body);
    if (!isElsewhere) failures = 0;
    ({ offset } = body);
    progress(offset);
  }
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const refusal = ({ error, message }) => Object.assign(new Error(message || error), { code: error });

async function taken(answer) {
  const body = await answer.json();
  if (!answer.ok) throw refusal(body);
  return body;
}
