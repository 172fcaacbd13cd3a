import { Readable } from 'node:stream';
import type { Row } from '#domain/ingestion/mapping.ts';
import { limits } from '#domain/limits.ts';
import type { ObjectStore, StoredObject } from '#platform/objects/object-store.ts';
import type { Bytes } from './bytes.ts';
import { FileFault } from './file-fault.ts';
import { linesOf } from './lines.ts';
import type { FileRow } from './row.ts';

/** A row that was read out of a file, on its way through a staged object. */
type StagedRow = { n: number; r: Row } | { n: number; f: string; b: string };

const pieceLength = 256 * 1024;
/** JSON writes some characters with six. */
const longestLine = 8 * limits.fileRowBytes;

interface Staging {
  objects: Pick<ObjectStore, 'put'>;
  tenantId: string;
  /** Follows from the content and from how it is read: a retry or a later run finds what was staged. */
  key: string;
  name: string;
}

/** Stores rows as lines of JSON, all of them or none: a file that cannot be read to its end leaves nothing. */
export async function stageRows(staging: Staging, rows: AsyncIterable<FileRow>): Promise<StoredObject> {
  return stage(staging, linesOfRows(rows), 'application/x-ndjson');
}

/** Stores a text as it was unpacked and decoded. */
export async function stageText(staging: Staging, text: Bytes): Promise<StoredObject> {
  return stage(staging, text, 'text/plain');
}

async function stage(
  { objects, tenantId, key, name }: Staging,
  content: AsyncIterable<Buffer>,
  contentType: string,
): Promise<StoredObject> {
  const about = { name, contentType, key, maxBytes: limits.unpackedBytes, keepHours: limits.stagedHours };
  try {
    return await objects.put(tenantId, Readable.from(inTime(content), { objectMode: false }), about);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'body-too-large') throw error;
    throw new FileFault(`The file unpacks to more than ${limits.unpackedBytes} bytes.`, error);
  }
}

/** @throws FileFault when the content takes longer than is allowed */
export async function* inTime<T>(content: AsyncIterable<T>): AsyncGenerator<T> {
  const deadline = Date.now() + limits.stagingMinutes * 60_000;
  for await (const item of content) {
    if (Date.now() > deadline) {
      throw new FileFault(`The file cannot be read within ${limits.stagingMinutes} minutes.`);
    }
    yield item;
  }
}

async function* linesOfRows(rows: AsyncIterable<FileRow>): AsyncGenerator<Buffer> {
  let piece = '';
  for await (const row of rows) {
    const line: StagedRow = 'row' in row ? { n: row.number, r: row.row } : { n: row.number, f: row.fault, b: row.body };
    piece += `${JSON.stringify(line)}\n`;
    if (piece.length < pieceLength) continue;
    yield Buffer.from(piece);
    piece = '';
  }
  if (piece !== '') yield Buffer.from(piece);
}

/** The rows of a staged object, each with where the next one begins. */
export async function* stagedRows(
  content: Bytes,
  from: { offset: number; row: number },
): AsyncGenerator<{ row: FileRow; end: number }> {
  for await (const { text, end } of linesOf(content, from, longestLine)) {
    const staged = JSON.parse(text()) as StagedRow;
    const row: FileRow =
      'r' in staged ? { number: staged.n, row: staged.r } : { number: staged.n, fault: staged.f, body: staged.b };
    yield { row, end };
  }
}
