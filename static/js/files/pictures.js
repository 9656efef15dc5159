// Pictures in messages: a box of the size that the message tells, filled with its preview and then with the picture.
// The first bytes decide what is decoded and how large it may be, never a name or what a message claims.

const TYPES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"]);
const BYTES_MAX = 64 * 1024 * 1024;
const PIXELS_MAX = 50_000_000;
const PREVIEW_EDGE_MAX = 128;
const KEPT_MAX = 40;

/** Whether a message says that a file is a picture, and how large. */
export const isPicture = ({ media_type, width, height, size }) =>
  TYPES.has(media_type) && width > 0 && height > 0 && size <= BYTES_MAX;

const text = (bytes, from, length) => String.fromCharCode(...bytes.subarray(from, from + length));

/** The size of a JPEG stands in its frame header, behind segments of any kind. */
function jpegSize(view) {
  for (let at = 2; at + 9 < view.byteLength; ) {
    const marker = view.getUint16(at);
    const isFrame = marker >= 0xffc0 && marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker);
    if (isFrame) return [view.getUint16(at + 7), view.getUint16(at + 5)];
    if (marker < 0xff00) return null;
    at += 2 + view.getUint16(at + 2);
  }
  return null;
}

function webpSize(view, bytes) {
  const chunk = text(bytes, 12, 4);
  const u24 = (at) => view.getUint16(at, true) + (bytes[at + 2] << 16);
  if (chunk === "VP8X") return [u24(24) + 1, u24(27) + 1];
  if (chunk === "VP8 ") return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff];
  if (chunk !== "VP8L") return null;
  const packed = view.getUint32(21, true);
  return [(packed & 0x3fff) + 1, ((packed >> 14) & 0x3fff) + 1];
}

/** The largest of the sizes that an AVIF names: it may hold several pictures. */
function avifSize(view, bytes) {
  let largest = null;
  const end = Math.min(bytes.length - 16, 64 * 1024);
  for (let at = 0; at < end; at += 1) {
    if (bytes[at] !== 0x69 || text(bytes, at, 4) !== "ispe") continue;
    const size = [view.getUint32(at + 8), view.getUint32(at + 12)];
    if (largest === null || size[0] * size[1] > largest[0] * largest[1]) largest = size;
  }
  return largest;
}

/** Type, width and height of a picture by its bytes; null if it is none that is shown. */
export function pictureOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 32) return null;
  const found = (type, size) => (size === null ? null : { type, width: size[0], height: size[1] });
  if (text(bytes, 1, 3) === "PNG" && bytes[0] === 0x89) {
    return found("image/png", [view.getUint32(16), view.getUint32(20)]);
  }
  if (/^GIF8[79]a/.test(text(bytes, 0, 6))) {
    return found("image/gif", [view.getUint16(6, true), view.getUint16(8, true)]);
  }
  if (view.getUint16(0) === 0xffd8) return found("image/jpeg", jpegSize(view));
  if (text(bytes, 0, 4) === "RIFF" && text(bytes, 8, 4) === "WEBP") return found("image/webp", webpSize(view, bytes));
  if (/^ftypavi[fs]/.test(text(bytes, 4, 8))) return found("image/avif", avifSize(view, bytes));
  return null;
}

/** Addresses of pictures by content; the oldest are given up. */
const kept = new Map();

function addressOf(bytes, { type }, key) {
  const url = URL.createObjectURL(new Blob([bytes], { type }));
  kept.set(key, url);
  if (kept.size > KEPT_MAX) {
    const [oldest, old] = kept.entries().next().value;
    kept.delete(oldest);
    URL.revokeObjectURL(old);
  }
  return url;
}

function previewAddress({ content, preview }) {
  const key = `preview ${content}`;
  if (kept.has(key)) return kept.get(key);
  const bytes = Uint8Array.from(atob(preview), (letter) => letter.charCodeAt(0));
  const picture = pictureOf(bytes);
  const isSmall = picture !== null && Math.max(picture.width, picture.height) <= PREVIEW_EDGE_MAX;
  return isSmall ? addressOf(bytes, picture, key) : null;
}

async function fullAddress(connection, { content }) {
  if (kept.has(content)) return kept.get(content);
  const answer = await connection.fetch(`/api/v1/files/${content}`);
  if (!answer.ok) throw new Error(`the picture is not served: ${answer.status}`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const picture = pictureOf(bytes);
  if (picture === null || picture.width * picture.height > PIXELS_MAX) return null;
  return addressOf(bytes, picture, content);
}

/**
 * Fills the box of a picture with what is there of it.
 *
 * Every change of any file draws all cards, so a box asks for its picture once.
 */
export async function fill(img, file, connection) {
  const preview = file.preview && img.src === "" ? previewAddress(file) : null;
  if (preview !== null) img.src = preview;
  if (file.state !== "here" || img.dataset.full === file.content) return;
  img.dataset.full = file.content;
  try {
    const url = await fullAddress(connection, file);
    if (url === null) img.hidden = true;
    else img.src = url;
  } catch (error) {
    delete img.dataset.full;
    throw error;
  }
}
