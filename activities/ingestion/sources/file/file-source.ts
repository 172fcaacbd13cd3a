import { applyMapping, columnsOf, defaultMapping, type Mapping } from '#domain/ingestion/mapping.ts';
import type { FileSource } from '#domain/ingestion/sources/file.ts';
import { limits } from '#domain/limits.ts';
import type { Source, SourceContext, SourcePage, SourceRecord, SourceReject } from '../../source.ts';
import { PermanentSourceError } from '../../permanent-source-error.ts';
import { csvRecords, type CsvRecord } from './csv-scanner.ts';
import { csvForm, FileContent, type ReadableContent } from './file-content.ts';
import { headerOf, type Header } from './header.ts';
import { linesOf } from './lines.ts';
import { emptyRow, rowOfJson, shortened, type FileRow } from './row.ts';
import { stagedRows } from './staging.ts';

/** Blank lines that may stand before a header, in bytes. */
const headerSlack = 64 * 1024;

/** Of a digest in a cursor, in hex. */
const digestLength = 16;

interface Place {
  /** Bytes from the beginning. */
  offset: number;
  /** Rows that stand before it, the header among them. */
  row: number;
}

/** A row and where the next one begins. */
interface PlacedRow {
  row: FileRow;
  end: number;
}

/**
 * A file as a source. Its cursor is the byte and the number of the next row (and which file it was fetched as), so that a page is read from where it begins,
 * however large the file is.
 */
export class FileReader implements Source {
  readonly #options: FileSource;
  readonly #content: FileContent;
  readonly #mapping: Mapping;

  constructor(options: FileSource, context: SourceContext) {
    this.#options = options;
    this.#content = new FileContent(options, context);
    this.#mapping = options.mapping ?? defaultMapping;
  }

  /** Reads the whole file once: what is wrong with it is known before any of it is applied. */
  async check(): Promise<void> {
    await this.#content.readable();
  }

  async fingerprint(): Promise<string> {
    return (await this.#content.original()).sha256;
  }

  async readPage(cursor: string | undefined, pageSize: number): Promise<SourcePage> {
    const { content, digest } = await this.#contentOf(cursor);
    const from = placeOf(cursor);
    const records: SourceRecord[] = [];
    const places: string[] = [];
    const rejects: SourceReject[] = [];
    let [end, row, recordBytes] = [from.offset, from.row, 0];
    let full = false;
    for await (const placed of this.#rows(content, from)) {
      const rowBytes = placed.end - end;
      end = placed.end;
      row = placed.row.number;
      const result = this.#recordOf(placed.row, rowBytes);
      if ('record' in result) {
        records.push(result.record);
        places.push(`row ${row}`);
      } else rejects.push(result.reject);
      // Of a table a few columns may be taken; what is made of anything else is about as long as it.
      recordBytes += content.form === 'csv' ? JSON.stringify(result).length : rowBytes;
      full =
        records.length + rejects.length >= pageSize ||
        recordBytes >= limits.filePageRecordBytes ||
        end - from.offset >= limits.filePageBytes;
      if (full) break;
    }
    const total = content.object.bytes;
    const more = full && end < total;
    return {
      records,
      places,
      ...(rejects.length > 0 && { rejects }),
      ...this.#incompleteness(rejects, cursor === undefined && records.length + rejects.length === 0),
      progress: { done: more ? end : total, total },
      ...(more && { nextCursor: [end, row, ...digest].join(':') }),
    };
  }

  /** A snapshot lists all that there is of its name. */
  covers(): boolean {
    return this.#options.mode === 'snapshot';
  }

  async close(): Promise<void> {
    // Nothing stays open from one page to the next.
  }

  /**
   * A file that was fetched is kept for some days. A run that goes on later fetches it again, and a place in the one says
   * nothing of a place in another: so cursors of it carry the beginning of its digest.
   */
  async #contentOf(cursor: string | undefined): Promise<{ content: ReadableContent; digest: string[] }> {
    const digest = this.#options.url === undefined ? [] : [(await this.fingerprint()).slice(0, digestLength)];
    const [, , before] = cursor?.split(':') ?? [];
    if (before !== undefined && before !== digest[0]) {
      const reason = 'What this run has read is no longer kept, and the address gives another file now.';
      throw new PermanentSourceError('source-refused', `${reason} Start a new run.`);
    }
    return { content: await this.#content.readable(), digest };
  }

  /** What seems to be gone from a snapshot may be what a rejected row is about; and a snapshot of nothing is a mistake. */
  #incompleteness(rejects: SourceReject[], empty: boolean): Pick<SourcePage, 'incomplete'> {
    if (this.#options.mode !== 'snapshot') return {};
    if (empty) return { incomplete: ['The file has no rows.'] };
    return rejects.length === 0 ? {} : { incomplete: rejects.map(({ detail }) => detail) };
  }

  #recordOf(file: FileRow, rowBytes: number): { record: SourceRecord } | { reject: SourceReject } {
    const place = `row ${file.number}`;
    if ('fault' in file) return { reject: { detail: `${place}: ${file.fault}`, body: file.body } };
    const mapped = applyMapping(this.#mapping, file.row);
    const detail = mapped.ok ? tooLarge(mapped.record, rowBytes) : mapped.detail;
    if (mapped.ok && detail === undefined) {
      const { op: _op, ...record } = mapped.record;
      return { record };
    }
    return { reject: { detail: `${place}: ${detail}`, body: shortened(JSON.stringify(file.row)) } };
  }

  async *#rows(content: ReadableContent, from: Place): AsyncGenerator<PlacedRow> {
    const bytes = await this.#content.open(content.object, from.offset);
    try {
      if (content.form === 'rows') yield* stagedRows(bytes, from);
      else if (content.form === 'ndjson') yield* ndjsonRows(bytes, from);
      else yield* this.#csvRows(content, bytes, from);
    } finally {
      bytes.destroy();
    }
  }

  async *#csvRows(content: ReadableContent, bytes: AsyncIterable<Buffer>, from: Place): AsyncGenerator<PlacedRow> {
    const form = csvForm(this.#options);
    let header = from.offset === 0 ? undefined : await this.#header(content);
    let taken = header && columnsTaken(header, this.#mapping);
    for await (const record of csvRecords(bytes, form, from)) {
      if (record.blank) continue;
      if (header === undefined || taken === undefined) {
        header = headerOf(record.row, cellsOf(record));
        taken = columnsTaken(header, this.#mapping);
        continue;
      }
      yield { row: csvRow(record, header, taken), end: record.end };
    }
  }

  async #header(content: ReadableContent): Promise<Header> {
    const bytes = await this.#content.open(content.object, 0, limits.fileRowBytes + headerSlack);
    try {
      for await (const record of csvRecords(bytes, csvForm(this.#options), { offset: 0, row: 0 })) {
        if (!record.blank) return headerOf(record.row, cellsOf(record));
      }
    } finally {
      bytes.destroy();
    }
    return [];
  }
}

/** Numbers of the columns that the mapping takes; the others are never made texts of. */
function columnsTaken(header: Header, mapping: Mapping): number[] {
  const wanted = columnsOf(mapping);
  const isTaken = (name: string): boolean => name !== '' && (wanted === 'all' || wanted.has(name));
  return header.flatMap((name, index) => (isTaken(name) ? [index] : []));
}

function csvRow(record: CsvRecord, header: Header, taken: readonly number[]): FileRow {
  const number = record.row;
  if (record.cells !== header.length) {
    const fault = `has ${record.cells} cells, and the header ${header.length}`;
    return { number, fault, body: shortened(JSON.stringify(cellsOf(record))) };
  }
  const row = emptyRow();
  for (const column of taken) row[header[column] ?? ''] = record.cell(column);
  return { number, row };
}

function cellsOf(record: CsvRecord): string[] {
  return Array.from({ length: record.cells }, (_, index) => record.cell(index));
}

async function* ndjsonRows(bytes: AsyncIterable<Buffer>, from: Place): AsyncGenerator<PlacedRow> {
  for await (const line of linesOf(bytes, from)) {
    if (!line.blank) yield { row: rowOfJson(line.row, line.text()), end: line.end };
  }
}

function placeOf(cursor = '0:0'): Place {
  const [offset, row] = cursor.split(':');
  return { offset: Number(offset), row: Number(row) };
}

/** A record that is beyond what any record may have; only a large row can make one. */
function tooLarge(record: object, rowBytes: number): string | undefined {
  if (rowBytes * 4 < limits.recordBytes || Buffer.byteLength(JSON.stringify(record)) <= limits.recordBytes) {
    return undefined;
  }
  return `makes a record of more than ${limits.recordBytes} bytes`;
}
