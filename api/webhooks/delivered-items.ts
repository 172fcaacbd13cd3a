import type { Json } from '#domain/assets/entity.ts';
import { LilyError } from '#domain/errors.ts';
import { rowsOf } from '#domain/ingestion/foreign-rows.ts';
import type { Mapping } from '#domain/ingestion/mapping.ts';
import type { RecordFault } from '#domain/transformation/dead-letter.ts';
import type { Submission } from '../assets/intake.ts';
import { parseJsonText } from '../http/json-text.ts';

/** One thing that a webhook says: a row to make something of, or what came and why nothing can be made of it. */
export type DeliveredItem = { index: number } & ({ row: Json } | { text: string; fault: RecordFault });

/**
 * What a verified body says, item by item. A body that is not JSON is one item with its fault.
 * @throws LilyError `malformed-json` for bytes that are no text: they could not be kept as they are
 */
export function deliveredItems(mapping: Mapping | undefined, body: Buffer, text: string): DeliveredItem[] {
  const whole = (reason: RecordFault['reason'], detail: string): DeliveredItem[] => [
    { index: 0, text, fault: { reason, detail } },
  ];
  let document: Json;
  try {
    document = parseJsonText(body) as Json;
  } catch (error) {
    if (!(error instanceof LilyError)) throw error;
    return whole(error.code === 'malformed-json' ? 'malformed-json' : 'invalid-record', error.message);
  }
  const found = rowsOf(mapping, document);
  return found.ok ? found.rows.map((row, index) => ({ index, row })) : whole('invalid-record', found.detail);
}

/** The item as it goes to become a dead letter. */
export function unusable(recordId: string, item: DeliveredItem, detail = ''): Submission {
  if ('fault' in item) return { recordId, metadataId: '', value: item.text, fault: item.fault };
  const fault = { reason: 'invalid-record', detail: `row ${item.index + 1}: ${detail}` } as const;
  return { recordId, metadataId: '', value: JSON.stringify(item.row), fault };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The body as text. Bytes that are none could not be kept as they are, so they are refused. */
export function textOf(body: Buffer): string {
  if (body.length === 0) throw new LilyError('malformed-json', 'The body is empty');
  try {
    return utf8.decode(body);
  } catch (cause) {
    throw new LilyError('malformed-json', 'The body is not valid UTF-8', { cause });
  }
}
