// Takes out of a picture what tells where, when and with what it was taken. Its pixels stay as they are, and a JPEG
// keeps how it must be turned.

const BYTES_MAX = 64 * 1024 * 1024; // larger ones are sent as they are

/** The segments of a JPEG that are kept: APP0 (JFIF), APP2 (colors), APP14 (Adobe's colors), and all that are no APPn. */
const isKeptSegment = (marker) =>
  marker === 0xe0 || marker === 0xe2 || marker === 0xee || ((marker < 0xe0 || marker > 0xef) && marker !== 0xfe);

/** The chunks of a PNG that tell nothing but how it looks. */
const DROPPED_CHUNKS = new Set(["tEXt", "zTXt", "iTXt", "eXIf", "tIME"]);

/** The same file without metadata, or the file itself if it is none of these pictures. @param {File} file */
export async function withoutMetadata(file) {
  if (file.size > BYTES_MAX) return file;
  const bytes = new Uint8Array(await file.arrayBuffer());
  const parts = keptParts(bytes);
  return parts === null ? file : new File(/** @type {BlobPart[]} */ (parts), file.name, { type: file.type });
}

/** What is kept of a picture, in its order; null if nothing is to be taken out. Pure. @param {Uint8Array} bytes */
export function keptParts(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 16) return null;
  try {
    if (view.getUint16(0) === 0xffd8) return partsOfJpeg(bytes, view);
    if (view.getUint32(0) === 0x89504e47 && view.getUint32(4) === 0x0d0a1a0a) return partsOfPng(bytes, view);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // cut short: it is sent as it is
  }
  return null;
}

function partsOfJpeg(bytes, view) {
  const kept = [bytes.subarray(0, 2)];
  let isChanged = false;
  let at = 2;
  // Up to the scan (SOS), behind which there are pixels alone.
  while (view.getUint16(at) !== 0xffda) {
    const marker = view.getUint8(at + 1);
    const end = at + 2 + view.getUint16(at + 2);
    if (view.getUint8(at) !== 0xff || end > bytes.length) return null;
    if (isKeptSegment(marker)) kept.push(bytes.subarray(at, end));
    else {
      isChanged = true;
      const turned = marker === 0xe1 ? orientationOf(view, at + 4, end) : 1;
      if (turned !== 1) kept.push(segmentOf(turned));
    }
    at = end;
  }
  kept.push(bytes.subarray(at));
  return isChanged ? kept : null;
}

/** How a picture must be turned, 1 to 8, by the Exif that begins at `at`. */
function orientationOf(view, at, end) {
  if (end - at < 14 || view.getUint32(at) !== 0x45786966) return 1; // "Exif"
  const tiff = at + 6;
  const isLittle = view.getUint16(tiff) === 0x4949;
  const directory = tiff + view.getUint32(tiff + 4, isLittle);
  const count = view.getUint16(directory, isLittle);
  for (let i = 0; i < count; i += 1) {
    const entry = directory + 2 + 12 * i;
    if (entry + 12 > end) return 1;
    if (view.getUint16(entry, isLittle) !== 0x0112) continue;
    const turned = view.getUint16(entry + 8, isLittle);
    return turned >= 1 && turned <= 8 ? turned : 1;
  }
  return 1;
}

/** An Exif segment that tells the orientation alone. */
function segmentOf(orientation) {
  return Uint8Array.of(
    ...[0xff, 0xe1, 0x00, 0x22, 0x45, 0x78, 0x69, 0x66, 0x00, 0x00], // APP1, 34 bytes, "Exif"
    ...[0x4d, 0x4d, 0x00, 0x2a, 0x00, 0x00, 0x00, 0x08, 0x00, 0x01], // TIFF, big-endian, a directory of one entry
    ...[0x01, 0x12, 0x00, 0x03, 0x00, 0x00, 0x00, 0x01, 0x00, orientation, 0x00, 0x00],
    ...[0x00, 0x00, 0x00, 0x00], // no other directory
  );
}

function partsOfPng(bytes, view) {
  const kept = [bytes.subarray(0, 8)];
  let isChanged = false;
  let at = 8;
  while (at < bytes.length) {
    const end = at + 12 + view.getUint32(at);
    if (end > bytes.length) return null;
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (DROPPED_CHUNKS.has(name)) isChanged = true;
    else kept.push(bytes.subarray(at, end));
    at = end;
  }
  return isChanged ? kept : null;
}
