import { promisify } from 'node:util';
import { unzip, zstdDecompress } from 'node:zlib';
import kafkajs from 'kafkajs';

// Node finds only some of the names that kafkajs exports.
const { CompressionCodecs, CompressionTypes } = kafkajs;

/** What one compressed batch may become: a few bytes can stand for gigabytes. */
const mostBytes = 64 * 1024 * 1024;

interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>;
  decompress(buffer: Buffer): Promise<Buffer>;
}

let bounded = false;

/** Bounds what kafkajs unpacks, and teaches it Zstandard. Its codecs are the same for every client of the process. */
export function boundDecompression(): void {
  if (bounded) return;
  bounded = true;
  const codecs = CompressionCodecs as unknown as Record<number, () => Codec>;
  const gzip = codecs[CompressionTypes.GZIP]?.();
  if (gzip === undefined) throw new Error('this kafkajs has no gzip codec');
  const gunzip = promisify(unzip);
  codecs[CompressionTypes.GZIP] = () => ({
    compress: (encoder) => gzip.compress(encoder),
    decompress: (buffer) => gunzip(buffer, { maxOutputLength: mostBytes }),
  });
  const unzstd = promisify(zstdDecompress);
  codecs[CompressionTypes.ZSTD] = () => ({
    compress: () => Promise.reject(new Error('only read, never written')),
    decompress: (buffer) => unzstd(buffer, { maxOutputLength: mostBytes }),
  });
}
