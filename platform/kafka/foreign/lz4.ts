import { BoundedOutput, slice } from './bounded-output.ts';

const magic = 0x184d2204;

/**
 * Unfolds an LZ4 frame (version 1.6 of its format). Its checksums are not looked at: Kafka has one of its own over the
 * whole batch. @throws Error for anything else, or too much of it
 */
export function unlz4(bytes: Buffer, maxBytes: number): Buffer {
  if (slice(bytes, 0, 4).readUInt32LE() !== magic) throw new Error('compressed data is no LZ4 frame');
  const flags = slice(bytes, 4, 2).readUInt8();
  const has = (bit: number): boolean => (flags & (1 << bit)) !== 0;
  if (flags >> 6 !== 1 || has(0)) throw new Error('compressed data is in an LZ4 frame of another kind');
  const output = new BoundedOutput(maxBytes, bytes.length * 3);
  const blockTail = has(4) ? 4 : 0;
  for (let at = 7 + (has(3) ? 8 : 0); ;) {
    const word = slice(bytes, at, 4).readUInt32LE();
    if (word === 0) return output.bytes();
    const count = word & 0x7fffffff;
    const block = slice(bytes, at + 4, count);
    if (word > 0x7fffffff) output.append(block);
    else unfoldBlock(block, output);
    at += 4 + count + blockTail;
  }
}

function unfoldBlock(block: Buffer, output: BoundedOutput): void {
  let at = 0;
  const length = (nibble: number): number => {
    if (nibble < 15) return nibble;
    for (let total = 15; ;) {
      const byte = slice(block, at, 1).readUInt8();
      at += 1;
      total += byte;
      if (byte < 255) return total;
    }
  };
  while (at < block.length) {
    const token = block.readUInt8(at);
    at += 1;
    const literals = length(token >> 4);
    output.append(slice(block, at, literals));
    at += literals;
    // The last sequence has literals alone.
    if (at === block.length) return;
    const distance = slice(block, at, 2).readUInt16LE();
    at += 2;
    output.repeat(distance, length(token & 15) + 4);
  }
}
