import { Readable } from 'node:stream';
import type { FileSource } from '#domain/ingestion/sources/file.ts';
import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { sha256Hex } from '#platform/digest.ts';
import type { StoredObject } from '#platform/objects/object-store.ts';
import type { SourceContext } from '../../source.ts';
import { PermanentSourceError } from '../../permanent-source-error.ts';
import type { Bytes } from './bytes.ts';
import { csvRecords, type CsvForm } from './csv-scanner.ts';
import { fetchFile } from './fetch-file.ts';
import { FileFault } from './file-fault.ts';
import { headerOf } from './header.ts';
import { jsonRows } from './json-rows.ts';
import { linesOf } from './lines.ts';
import type { FileRow } from './row.ts';
import { inTime, stageRows, stageText } from './staging.ts';
import { textOf } from './text.ts';
import { xlsxRows } from './xlsx-rows.ts';
import { xmlRows } from './xml-rows.ts';

/** Raised when files are read in another way than before: what was staged is not used any more. */
const stagingVersion = 1;
/** Name of a staged object that says: the file itself can be read from any place. */
const asStored = 'as stored';

/** What is read, page after page: an object that can be opened at any row. */
export interface ReadableContent {
  object: StoredObject;
  /** `rows`: lines of JSON that {@link stageRows} wrote. */
  form: 'csv' | 'ndjson' | 'rows';
}

/** A file of a tenant, and what is made of it so that it can be read from any row. */
export class FileContent {
  readonly #options: FileSource;
  readonly #context: SourceContext;
  #original: StoredObject | undefined;

  constructor(options: FileSource, context: SourceContext) {
    this.#options = options;
    this.#context = context;
  }

  /** The file as it was uploaded or fetched. A file at an address is fetched once a run. */
  async original(): Promise<StoredObject> {
    this.#original ??= await this.#findOriginal();
    return this.#original;
  }

  /**
   * What pages are read from. It is there only when the whole file can be read to its end: a file that is damaged, cut
   * short or hostile fails before anything of it is applied. Made once; later calls, and runs, find it.
   * @throws FileFault
   */
  async readable(): Promise<ReadableContent> {
    const original = await this.original();
    const { format } = this.#options;
    const form = format === 'csv' || format === 'ndjson' ? format : 'rows';
    const found = await this.#context.objects.find(this.#context.tenantId, this.#key(original));
    const staged = found ?? (await this.#stage(original));
    return { object: staged.name === asStored ? original : staged, form };
  }

  async open(object: StoredObject, start = 0, end?: number): Promise<Readable> {
    return this.#context.objects.open(this.#context.tenantId, object.objectId, start, end);
  }

  async #stage(original: StoredObject): Promise<StoredObject> {
    const { format, sheet } = this.#options;
    const { objects, tenantId } = this.#context;
    const staging = { objects, tenantId, key: this.#key(original), name: `${original.name}, as rows` };
    if (format === 'xlsx') {
      const open = (start: number, end: number): Promise<Readable> =>
        objects.open(tenantId, original.objectId, start, end);
      if (original.bytes === 0) throw new FileFault('The file is empty.');
      return stageRows(staging, xlsxRows({ bytes: original.bytes, open }, sheet));
    }
    const { content, asStored: plain } = await textOf(await this.open(original), this.#options);
    if (format === 'json' || format === 'xml') return stageRows(staging, this.#rows(content));
    if (plain) {
      await this.#survey(content);
      const about = { contentType: 'text/plain', keepHours: limits.stagedHours, key: staging.key, maxBytes: 0 };
      return objects.put(tenantId, Readable.from([]), { ...about, name: asStored });
    }
    const text = await stageText({ ...staging, key: `${staging.key}:text`, name: original.name }, content);
    await this.#survey(await this.open(text));
    // Only now does it have the name under which pages look for it.
    return stageText({ ...staging, name: original.name }, await this.open(text));
  }

  /** Reads a table to its end, so that what is wrong with it is known before its first row is applied. */
  async #survey(content: Bytes): Promise<void> {
    if (this.#options.format === 'ndjson') {
      for await (const _line of inTime(linesOf(content, { offset: 0, row: 0 }))) continue;
      return;
    }
    let named = false;
    for await (const record of inTime(csvRecords(content, csvForm(this.#options), { offset: 0, row: 0 }))) {
      if (named || record.blank) continue;
      headerOf(
        record.row,
        Array.from({ length: record.cells }, (_, index) => record.cell(index)),
      );
      named = true;
    }
    if (!named) throw new FileFault('The file has no header.');
  }

  #rows(content: Bytes): AsyncIterable<FileRow> {
    const { format, mapping } = this.#options;
    const records = this.#options.records ?? mapping?.records;
    return format === 'xml' ? xmlRows(content, records) : jsonRows(content, records);
  }

  /** Follows from the content and from everything that has a say in how it is read. */
  #key({ sha256 }: StoredObject): string {
    const { format, records, mapping, encoding, delimiter, quote, sheet } = this.#options;
    const how = [stagingVersion, format, records ?? mapping?.records, encoding, delimiter, quote, sheet];
    return `staged:${sha256}:${sha256Hex(JSON.stringify(how)).slice(0, 32)}`;
  }

  async #findOriginal(): Promise<StoredObject> {
    const { objects, tenantId } = this.#context;
    const { object, url } = this.#options;
    if (object !== undefined) {
      const found = await objects.stat(tenantId, object);
      if (found === undefined) throw new PermanentSourceError('not-found', 'The upload is not there, or not yours.');
      return found;
    }
    const key = `fetched:${this.#context.runId}`;
    return (await objects.find(tenantId, key)) ?? this.#fetch(url ?? '', key);
  }

  async #fetch(url: string, key: string): Promise<StoredObject> {
    const { objects, tenantId, allowPrivate } = this.#context;
    const { content, name, contentType } = await fetchFile(url, allowPrivate);
    const about = { name, contentType, key, maxBytes: limits.uploadBytes, keepHours: limits.stagedHours };
    try {
      return await objects.put(tenantId, content, about);
    } catch (error) {
      if (error instanceof LilyError && error.code === 'body-too-large')
        throw new FileFault(`${error.message}.`, error);
      if (content.errored === null) throw error;
      throw new LilyError('source-unreachable', `The file broke off: ${content.errored.message}.`, { cause: error });
    }
  }
}

export function csvForm({ delimiter = ',', quote = '"' }: FileSource): CsvForm {
  return { delimiter, quote };
}
