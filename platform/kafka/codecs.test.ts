import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import kafkajs from 'kafkajs';
import { beforeAll, describe, expect, it } from 'vitest';
import { boundDecompression } from './codecs.ts';
import { unlz4 } from './foreign/lz4.ts';
import { unsnappy } from './foreign/snappy.ts';

const { CompressionCodecs, CompressionTypes } = kafkajs;
const decompress = (type: number, bytes: Buffer): Promise<Buffer> =>
  (CompressionCodecs[type as never] as () => { decompress: (bytes: Buffer) => Promise<Buffer> })().decompress(bytes);

beforeAll(() => boundDecompression());

/** `abab…`: literals and a copy that overlaps itself, as google/snappy writes them. */
const snappyBlock = Buffer.from([0x0c, 0x04, 0x61, 0x62, 0x26, 0x02, 0x00]);

describe('Snappy', () => {
  it('unfolds literals and copies, bare and in the frame of the Java client', () => {
    expect(unsnappy(snappyBlock, 100).toString()).toBe('ab'.repeat(6));
    const length = Buffer.alloc(4);
    length.writeInt32BE(snappyBlock.length);
    const header = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
    const framed = Buffer.concat([header, length, snappyBlock, length, snappyBlock]);
    expect(unsnappy(framed, 100).toString()).toBe('ab'.repeat(12));
    expect(() => unsnappy(framed, 20)).toThrow('larger than 20 bytes');
    expect(unsnappy(Buffer.from([0]), 100)).toHaveLength(0);
    // 300 literals, whose length takes two bytes, and a copy of 5 whose distance takes eleven bits.
    const text = Array.from({ length: 30 }, (_, n) => `${n}`.padStart(10, '.')).join('');
    const far = Buffer.concat([
      Buffer.from([0xb1, 0x02, 0xf4, 0x2b, 0x01]),
      Buffer.from(text),
      Buffer.from([0x25, 0x2c]),
    ]);
    expect(unsnappy(far, 1_000).toString()).toBe(text + text.slice(0, 5));
  });

  it('throws at anything that is broken, and reads nothing that is not there', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        let result: unknown;
        try {
          result = unsnappy(Buffer.from(noise), 1_000);
        } catch (error) {
          result = error;
        }
        expect(result instanceof Error || (result as Buffer).length <= 1_000).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('LZ4', () => {
  it('throws at anything that is broken, and reads nothing that is not there', () => {
    const head = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        const length = Buffer.alloc(4);
        length.writeUInt32LE(noise.length);
        let result: unknown;
        try {
          result = unlz4(Buffer.concat([head, length, noise, Buffer.alloc(4)]), 1_000);
        } catch (error) {
          result = error;
        }
        expect(result instanceof Error || (result as Buffer).length <= 1_000).toBe(true);
      }),
      { numRuns: 5_000 },
    );
    expect(() => unlz4(Buffer.from('no frame'), 100)).toThrow('no LZ4 frame');
  });

  it('stops where a frame unfolds beyond its bound', () => {
    // One literal, then a copy of it 15 + 255 × 1,000 times over.
    const block = Buffer.concat([Buffer.from([0x1f, 0x61, 1, 0]), Buffer.alloc(1_000, 255), Buffer.from([0])]);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(block.length);
    const frame = Buffer.concat([
      Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]),
      length,
      block,
      Buffer.alloc(4),
    ]);
    expect(unlz4(frame, 1_000_000)).toHaveLength(1 + 15 + 255_000 + 4);
    expect(() => unlz4(frame, 100_000)).toThrow('larger than 100000 bytes');
  });
});

it('unfolds gzip and zstd, up to 64 MiB and no further', async () => {
  const bomb = Buffer.alloc(65 * 1024 * 1024);
  expect((await decompress(CompressionTypes.GZIP, gzipSync('fine'))).toString()).toBe('fine');
  expect((await decompress(CompressionTypes.ZSTD, zstdCompressSync('fine'))).toString()).toBe('fine');
  await expect(decompress(CompressionTypes.GZIP, gzipSync(bomb))).rejects.toThrow(/larger/);
  await expect(decompress(CompressionTypes.ZSTD, zstdCompressSync(bomb))).rejects.toThrow(/larger/);
});
