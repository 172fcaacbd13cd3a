import { Readable } from 'node:stream';
import { sourceContext } from './source-context.ts';
import type { SourceRecord, SourceReject } from '#activities/ingestion/source.ts';
import { FileReader } from '#activities/ingestion/sources/file/file-source.ts';
import { fileSourceSchema } from '#domain/ingestion/sources/file.ts';
import { memoryObjects } from './memory-objects.ts';

export interface ReadFile {
  records: SourceRecord[];
  rejects: SourceReject[];
  incomplete: string[];
  pages: number;
  /** Where the pages began. */
  cursors: (string | undefined)[];
}

export interface FilePlan {
  content: string | Buffer;
  pageSize?: number;
  pieceBytes?: number;
  [option: string]: unknown;
}

/** Reads a file as a run does, page after page, each by a reader of its own. */
export async function readFile({ content, pageSize = 1_000, pieceBytes, ...options }: FilePlan): Promise<ReadFile> {
  const { objects } = memoryObjects(pieceBytes);
  const about = { name: 'a', contentType: 'text/plain', maxBytes: Number.POSITIVE_INFINITY };
  const { objectId } = await objects.put('tests', Readable.from([Buffer.from(content)], { objectMode: false }), about);
  const source = fileSourceSchema.parse({ type: 'file', object: objectId, ...options });
  const open = () => new FileReader(source, { ...sourceContext, objects });
  await open().check();
  const read: ReadFile = { records: [], rejects: [], incomplete: [], pages: 0, cursors: [] };
  let cursor: string | undefined;
  do {
    const page = await open().readPage(cursor, pageSize);
    read.cursors.push(cursor);
    read.records.push(...page.records);
    read.rejects.push(...(page.rejects ?? []));
    read.incomplete.push(...(page.incomplete ?? []));
    read.pages += 1;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return read;
}
