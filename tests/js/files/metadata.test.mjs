import assert from "node:assert/strict";
import test from "node:test";
import { keptParts, withoutMetadata } from "../../../static/js/files/metadata.js";

const joined = (parts) => Buffer.concat(parts.map((part) => Buffer.from(part)));
const segment = (marker, body) => Buffer.concat([Buffer.from([0xff, marker, 0, body.length + 2]), Buffer.from(body)]);
const START = Buffer.from([0xff, 0xd8]);
const JFIF = segment(0xe0, "JFIF\0\x01\x02");
const SCAN = Buffer.from([0xff, 0xda, 0, 4, 1, 2, 9, 9, 9, 0xff, 0xd9]);

/** An Exif segment with a camera's name and an orientation, in both orders of bytes. */
function exif(orientation, isLittle) {
  const tiff = Buffer.alloc(38);
  const [u16, u32] = isLittle
    ? [(n, at) => tiff.writeUInt16LE(n, at), (n, at) => tiff.writeUInt32LE(n, at)]
    : [(n, at) => tiff.writeUInt16BE(n, at), (n, at) => tiff.writeUInt32BE(n, at)];
  tiff.write(isLittle ? "II" : "MM");
  u16(42, 2);
  u32(8, 4);
  u16(2, 8);
  u16(0x010f, 10); // the camera
  u16(2, 12);
  u32(4, 14);
  tiff.write("Leic", 18);
  u16(0x0112, 22);
  u16(3, 24);
  u32(1, 26);
  u16(orientation, 30);
  return segment(0xe1, Buffer.concat([Buffer.from("Exif\0\0"), tiff]));
}

test("a JPEG loses its camera and comment, and keeps its pixels", () => {
  const comment = segment(0xfe, "at home, 12:30");
  const parts = keptParts(joined([START, JFIF, exif(1, true), comment, segment(0xdb, "table"), SCAN]));
  assert.deepEqual(joined(parts), joined([START, JFIF, segment(0xdb, "table"), SCAN]));
});

test("a JPEG that must be turned still is", () => {
  for (const isLittle of [true, false]) {
    const kept = joined(keptParts(joined([START, exif(6, isLittle), SCAN])));
    assert.equal(kept.includes("Leic"), false);
    const again = keptParts(joined([START, kept.subarray(2, -SCAN.length), SCAN]));
    assert.deepEqual(joined(again), kept, "the orientation is read again from what was written");
    assert.equal(kept.includes(Buffer.from([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6])), true);
  }
});

test("a PNG loses its texts and keeps its pixels", () => {
  const chunk = (name, body) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(body.length);
    return Buffer.concat([head, Buffer.from(name), Buffer.from(body), Buffer.alloc(4)]);
  };
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const [pixels, end] = [chunk("IDAT", "pixels"), chunk("IEND", "")];
  const parts = keptParts(joined([signature, chunk("tEXt", "Author\0Ana"), chunk("eXIf", "x"), pixels, end]));
  assert.deepEqual(joined(parts), joined([signature, pixels, end]));
  assert.equal(keptParts(joined([signature, pixels, end])), null, "nothing is to be taken out");
});

test("what is no picture, or a broken one, stays as it is", async () => {
  assert.equal(keptParts(Buffer.from("just a text of some length")), null);
  assert.equal(keptParts(joined([START, Buffer.from([0xff, 0xe1, 0xff, 0xff]), Buffer.alloc(20)])), null);
  assert.equal(keptParts(joined([START, JFIF, segment(0xdb, "no scan follows")])), null);
  const file = new File(["a text that is long enough"], "a.txt");
  assert.equal(await withoutMetadata(file), file);
});
