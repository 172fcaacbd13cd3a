import { promisify } from 'node:util';
import { gunzip, zstdDecompress } from 'node:zlib';
import kafkajs from 'kafkajs';
import { unlz4 } from './lz4.ts';
import { unsnappy } from './snappy.ts';

/** Bytes that one compressed batch of records may unfold to. */
const unfoldedBytes = 64 * 1024 * 1024;

const bounded = { maxOutputLength: unfoldedBytes };
const ungzip = promisify(gunzip);
const unzstd = promisify(zstdDecompress);

let done = false;

/**
 * Gives kafkajs codecs that bound what a batch may unfold to, also for zstd, Snappy and LZ4, which it lacks. Lily itself
 * sends nothing compressed.
 */
export function useBoundedCodecs(): void {
  if (done) return;
  done = true;
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  const reading = (decompress: (bytes: Buffer) => Promise<Buffer>) => () => ({
    decompress,
    compress: () => Promise.reject(new Error('nothing is sent compressed')),
  });
  CompressionCodecs[CompressionTypes.GZIP] = reading((bytes) => ungzip(bytes, bounded));
  CompressionCodecs[CompressionTypes.ZSTD] = reading((bytes) => unzstd(bytes, bounded));
  CompressionCodecs[CompressionTypes.Snappy] = reading(async (bytes) => unsnappy(bytes, unfoldedBytes));
  CompressionCodecs[CompressionTypes.LZ4] = reading(async (bytes) => unlz4(bytes, unfoldedBytes));
}
