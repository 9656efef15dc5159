// What a message tells of a picture before that is fetched: how large it is, and a tiny preview.

const TYPES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"]);
const BYTES_MAX = 64 * 1024 * 1024; // larger ones are not decoded here
const PREVIEW_BYTES_MAX = 1024;

export async function measure(file) {
  if (!TYPES.has(file.type) || file.size > BYTES_MAX) return {};
  const picture = await createImageBitmap(file);
  const { width, height } = picture;
  const preview = await previewOf(picture);
  picture.close();
  return { width, height, ...(preview ? { preview } : {}) };
}

/** The largest small WebP or JPEG that a message takes. */
async function previewOf(picture) {
  for (const edge of [32, 24, 16, 8]) {
    const scale = edge / Math.max(picture.width, picture.height);
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(picture.width * scale));
    canvas.height = Math.max(1, Math.round(picture.height * scale));
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    for (const type of ["image/webp", "image/jpeg"]) {
      const blob = await new Promise((resolve) => canvas.toBlob(resolve, type, 0.5));
      // A browser that can't make a type makes a PNG.
      if (blob?.type !== type || blob.size > PREVIEW_BYTES_MAX) continue;
      return btoa(String.fromCharCode(...new Uint8Array(await blob.arrayBuffer())));
    }
  }
  return null;
}
