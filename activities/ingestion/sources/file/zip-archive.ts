import { PassThrough, pipeline, type Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { fromRandomAccessReader, RandomAccessReader, type Entry, type ZipFile } from 'yauzl';
import { limits } from '#domain/limits.ts';
import type { Bytes } from './bytes.ts';
import { FileFault } from './file-fault.ts';
import { requireModest } from './text.ts';

/** A stored content that can be read from any place. */
export interface StoredContent {
  bytes: number;
  open(start: number, end: number): Promise<Readable>;
}

/** The files inside of a ZIP archive. It is read where it is stored, and only what is asked for is unpacked. */
export interface ZipArchive {
  has(name: string): boolean;
  /** @throws FileFault while it is read: damaged, cut short, encrypted, longer than it says, or beyond all measure */
  open(name: string): Promise<Bytes>;
  close(): void;
}

/** @throws FileFault when this is no ZIP archive, or a hostile one */
export async function openZip(content: StoredContent): Promise<ZipArchive> {
  const zip = await new Promise<ZipFile>((resolve, reject) => {
    const options = { lazyEntries: true, autoClose: false, validateEntrySizes: true, strictFileNames: true };
    fromRandomAccessReader(new ContentReader(content), content.bytes, options, (error, opened) => {
      if (error) reject(asFault(error));
      else resolve(opened);
    });
  });
  const entries = await entriesOf(zip);
  return {
    has: (name) => entries.has(name),
    async open(name) {
      const entry = entries.get(name);
      if (entry === undefined) throw new FileFault(`The file lacks its part ${name}.`);
      if (entry.isEncrypted()) throw new FileFault('The file is encrypted; save it without a password.');
      const unpacked = await new Promise<Readable>((resolve, reject) => {
        zip.openReadStream(entry, (error, stream) => {
          if (error) reject(asFault(error));
          else resolve(stream);
        });
      });
      return measured(unpacked as AsyncIterable<Buffer>, entry.compressedSize);
    },
    close: () => zip.close(),
  };
}

async function entriesOf(zip: ZipFile): Promise<Map<string, Entry>> {
  if (zip.entryCount > limits.archiveEntries) {
    throw new FileFault(`The archive has more than ${limits.archiveEntries} files in it.`);
  }
  const entries = new Map<string, Entry>();
  await new Promise<void>((resolve, reject) => {
    zip.on('error', (error: Error) => reject(asFault(error)));
    zip.on('end', resolve);
    zip.on('entry', (entry: Entry) => {
      if (entries.has(entry.fileName)) {
        reject(new FileFault('The archive has two files of the same name in it.'));
        return;
      }
      entries.set(entry.fileName, entry);
      zip.readEntry();
    });
    zip.readEntry();
  });
  return entries;
}

async function* measured(unpacked: Bytes, bytesIn: number): AsyncGenerator<Buffer> {
  let bytesOut = 0;
  try {
    for await (const chunk of unpacked) {
      bytesOut += chunk.length;
      requireModest(bytesIn, bytesOut);
      yield chunk;
    }
  } catch (error) {
    throw asFault(error);
  }
}

/** What yauzl and zlib say of an archive; failures of the store are left as they are. */
function asFault(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof FileFault || error.name !== 'Error') return error;
  return new FileFault(`The archive cannot be read: ${error.message.slice(0, 200)}.`, error);
}

/** Reads in blocks, so that the many small reads of a directory do not each ask the store. */
class ContentReader extends RandomAccessReader {
  readonly #content: StoredContent;
  #block: { start: number; bytes: Buffer } = { start: 0, bytes: Buffer.alloc(0) };

  constructor(content: StoredContent) {
    super();
    this.#content = content;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    const through = new PassThrough();
    this.#content.open(start, end).then(
      (stored) => pipeline(stored, through, () => undefined),
      (error: Error) => through.destroy(error),
    );
    return through;
  }

  override read(
    target: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    const answer = async (): Promise<void> => {
      const bytes = await this.#read(position, length).catch((error: unknown) => error as Error);
      if (bytes instanceof Error) return callback(bytes);
      bytes.copy(target, offset);
      callback(bytes.length < length ? new Error('unexpected end of the archive') : null);
    };
    void answer();
  }

  async #read(position: number, length: number): Promise<Buffer> {
    const { start, bytes } = this.#block;
    if (position < start || position + length > start + bytes.length) {
      const end = Math.min(this.#content.bytes, position + Math.max(length, blockBytes));
      this.#block = { start: position, bytes: await buffer(await this.#content.open(position, end)) };
    }
    const from = position - this.#block.start;
    return this.#block.bytes.subarray(from, from + length);
  }
}

const blockBytes = 256 * 1024;
