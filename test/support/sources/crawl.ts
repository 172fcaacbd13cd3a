import type { Source, SourceRecord } from '#activities/ingestion/source.ts';
import { openSource } from '#activities/ingestion/sources/index.ts';
import type { SourceOptions } from '#domain/ingestion/source.ts';
import { sourceContext } from '#test/support/source-context.ts';

/** Opens the source for one piece of work, as an activity does. */
export async function withSource<T>(
  options: SourceOptions,
  work: (source: Source) => Promise<T>,
  allowPrivate = true,
): Promise<T> {
  const source = openSource(options, { ...sourceContext, allowPrivate });
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

/** Reads a whole source, as a run does: each page by a reader of its own. */
export async function crawl(options: SourceOptions, pageSize = 2_000): Promise<SourceRecord[]> {
  const records: SourceRecord[] = [];
  let cursor: string | undefined;
  do {
    const page = await withSource(options, (source) => source.readPage(cursor, pageSize));
    records.push(...page.records);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return records;
}

export async function fingerprint(options: SourceOptions): Promise<string> {
  return withSource(options, (source) => source.fingerprint());
}

/** Records by type and qualified name, as `table server.shop.orders`. */
export function byName(records: SourceRecord[]): Map<string, SourceRecord> {
  return new Map(records.map((record) => [`${record.entity_type} ${record.qualified_name}`, record]));
}

/** Qualified names of a record's upstream. */
export function upstreamOf(record: SourceRecord | undefined): string[] {
  return (record?.upstream ?? []).map((ref) => ('qualified_name' in ref ? ref.qualified_name : ref.metadata_id));
}

/** How the source fails; it must. */
export async function failureOf(work: Promise<unknown>): Promise<Error> {
  return work.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => error as Error,
  );
}
