import { promisify } from 'node:util';
import { gunzip, zstdDecompress } from 'node:zlib';
// A CommonJS module of which Node finds only some names.
import kafkajs from 'kafkajs';
import { unlz4 } from './foreign/lz4.ts';
import { unsnappy } from './foreign/snappy.ts';

/** Bytes that one compressed batch of records may unfold to. */
const unfoldedBytes = 64 * 1024 * 1024;

const bounded = { maxOutputLength: unfoldedBytes };
const ungzip = promisify(gunzip);
const unzstd = promisify(zstdDecompress);

interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>;
  decompress(bytes: Buffer): Promise<Buffer>;
}

let done = false;

/**
 * Gives kafkajs codecs that bound what a batch may unfold to, also for zstd, Snappy and LZ4, which it lacks. Its codecs
 * are the same for every client of the process.
 */
export function boundDecompression(): void {
  if (done) return;
  done = true;
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  const codecs = CompressionCodecs as unknown as Record<number, (() => Codec) | undefined>;
  const known = codecs[CompressionTypes.GZIP]?.();
  if (known === undefined) throw new Error('this version of kafkajs has no gzip');
  const neverWritten = () => Promise.reject(new Error('only read, never written'));
  const codec = (decompress: Codec['decompress'], compress: Codec['compress'] = neverWritten) => {
    return () => ({ compress, decompress });
  };
  codecs[CompressionTypes.GZIP] = codec((bytes) => ungzip(bytes, bounded), known.compress);
  codecs[CompressionTypes.ZSTD] = codec((bytes) => unzstd(bytes, bounded));
  codecs[CompressionTypes.Snappy] = codec(async (bytes) => unsnappy(bytes, unfoldedBytes));
  codecs[CompressionTypes.LZ4] = codec(async (bytes) => unlz4(bytes, unfoldedBytes));
}
