import { promisify } from 'node:util';
import { gunzip, zstdDecompress } from 'node:zlib';
import kafkajs from 'kafkajs';

/** Bytes that one compressed batch of records may unfold to. */
const unfoldedBytes = 64 * 1024 * 1024;

const bounded = { maxOutputLength: unfoldedBytes };
const ungzip = promisify(gunzip);
const unzstd = promisify(zstdDecompress);

let done = false;

/**
 * Gives kafkajs codecs that bound what a batch may unfold to, and zstd, which it lacks. Snappy and LZ4 it lacks too, and
 * says so. Lily itself sends nothing compressed.
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
}
