import { BoundedOutput, slice } from './bounded-output.ts';

/** How the Java client frames Snappy: a magic word, two versions, then blocks with their lengths. */
const javaMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const javaHeaderBytes = 16;

/** Unfolds Snappy, as a bare block or framed as Java's client does. @throws Error for anything else, or too much of it */
export function unsnappy(bytes: Buffer, maxBytes: number): Buffer {
  const output = new BoundedOutput(maxBytes, bytes.length * 3);
  if (!bytes.subarray(0, javaMagic.length).equals(javaMagic)) {
    unfoldBlock(bytes, output);
    return output.bytes();
  }
  for (let at = javaHeaderBytes; at < bytes.length;) {
    const count = slice(bytes, at, 4).readInt32BE();
    unfoldBlock(slice(bytes, at + 4, count), output);
    at += 4 + count;
  }
  return output.bytes();
}

/** github.com/google/snappy/blob/main/format_description.txt */
function unfoldBlock(block: Buffer, output: BoundedOutput): void {
  let at = 0;
  let announced = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = slice(block, at, 1).readUInt8();
    at += 1;
    announced += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
    if (shift > 28) throw new Error('compressed data has no length');
  }
  const begin = output.length;
  while (at < block.length) {
    const tag = block.readUInt8(at);
    at += 1;
    const kind = tag & 3;
    if (kind === 0) {
      let count = (tag >> 2) + 1;
      if (count > 60) {
        const size = count - 60;
        count = slice(block, at, size).readUIntLE(0, size) + 1;
        at += size;
      }
      output.append(slice(block, at, count));
      at += count;
    } else if (kind === 1) {
      output.repeat(((tag >> 5) << 8) | slice(block, at, 1).readUInt8(), ((tag >> 2) & 7) + 4);
      at += 1;
    } else {
      const size = kind === 2 ? 2 : 4;
      output.repeat(slice(block, at, size).readUIntLE(0, size), (tag >> 2) + 1);
      at += size;
    }
  }
  if (output.length - begin !== announced) throw new Error('compressed data is not as long as it says');
}
