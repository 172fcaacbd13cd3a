import { mapRow, rowsOf } from '#domain/ingestion/foreign-rows.ts';
import { parseExactJson } from '#domain/ingestion/exact-json.ts';
import type { Mapping } from '#domain/ingestion/mapping.ts';
import type { Json } from '#domain/assets/entity.ts';
import { limits } from '#domain/limits.ts';
import { entityKey, ingestHeaders } from '#domain/topics.ts';
import { faultHeader, type RecordFault } from '#domain/transformation/dead-letter.ts';
import { metadataId, recordIdFrom } from '#platform/digest.ts';
import type { TopicMessage } from '#platform/kafka/foreign/topic-reader.ts';
import type { OutgoingMessage } from '#platform/kafka/producer.ts';

/** Where a message came from: with its offset, this names its records for good. */
export interface Origin {
  tenantId: string;
  integrationId: string;
  name: string;
  partition: number;
  incarnation: string;
  mapping: Mapping | undefined;
}

export interface MadeRecords {
  messages: OutgoingMessage[];
  deadLetters: number;
}

/** What is kept of a message that is too large to be a record, as a dead letter: the message itself stays in the topic. */
const keptBytes = limits.recordBytes;

/** The records that a message stands for, as they go to `lily.ingest`. What cannot be one goes there as a dead letter. */
export function recordsOfMessage(origin: Origin, { offset, value }: TopicMessage): MadeRecords {
  if (value === undefined) return { messages: [], deadLetters: 0 };
  const { tenantId, integrationId, partition, incarnation, mapping } = origin;
  const place = `partition ${partition}, offset ${offset}`;
  const made: MadeRecords = { messages: [], deadLetters: 0 };
  const add = (entityId: string, body: string, fault?: RecordFault): void => {
    const recordId = recordIdFrom(
      'topic',
      tenantId,
      integrationId,
      incarnation,
      partition,
      offset,
      made.messages.length,
    );
    made.messages.push({
      key: entityKey(tenantId, entityId),
      value: body,
      headers: headersOf(origin, recordId, fault),
    });
    if (fault !== undefined) made.deadLetters += 1;
  };
  const refuse = (body: string, reason: RecordFault['reason'], detail: string): void =>
    add('', shortened(body), { reason, detail: `${place}: ${detail}` });

  const text = textOf(value);
  if (text === undefined) {
    refuse(JSON.stringify({ base64: value.toString('base64') }), 'malformed-json', 'the value is not UTF-8');
    return made;
  }
  let document: Json;
  try {
    document = parseExactJson(text);
  } catch (error) {
    refuse(text, 'malformed-json', error instanceof Error ? error.message : 'the value is not JSON');
    return made;
  }
  const found = rowsOf(mapping, document);
  if (!found.ok) {
    refuse(text, 'invalid-record', found.detail);
    return made;
  }
  for (const row of found.rows) {
    const mapped = mapRow(mapping, row);
    if (!mapped.ok) {
      refuse(found.rows.length === 1 ? text : JSON.stringify(row), 'invalid-record', mapped.detail);
      continue;
    }
    const { record } = mapped;
    const body = JSON.stringify(record);
    const bytes = Buffer.byteLength(body);
    if (bytes <= limits.recordBytes) add(metadataId(tenantId, record.entity_type, record.qualified_name), body);
    else refuse(body, 'invalid-record', `the record has ${bytes} bytes; it may have at most ${limits.recordBytes}`);
  }
  return made;
}

function headersOf({ tenantId, name }: Origin, recordId: string, fault: RecordFault | undefined) {
  return {
    [ingestHeaders.tenant]: tenantId,
    [ingestHeaders.recordId]: recordId,
    [ingestHeaders.receivedAt]: new Date().toISOString(),
    [ingestHeaders.actor]: `topic:${name}`,
    [ingestHeaders.door]: 'topic',
    ...(fault === undefined ? {} : { [ingestHeaders.fault]: faultHeader(fault) }),
  };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(value: Buffer): string | undefined {
  try {
    return utf8.decode(value);
  } catch {
    return undefined;
  }
}

function shortened(body: string): string {
  return body.length <= keptBytes ? body : body.slice(0, keptBytes);
}
