import type { IncomingHttpHeaders } from 'node:http';
import type { Json } from '#domain/assets/entity.ts';
import { LilyError } from '#domain/errors.ts';
import { mapRow, rowsOf } from '#domain/ingestion/foreign-rows.ts';
import type { Mapping } from '#domain/ingestion/mapping.ts';
import type { RecordFault } from '#domain/transformation/dead-letter.ts';
import { recordIdFrom } from '#platform/digest.ts';
import type { WebhookEndpointDoc, WebhookEndpoints } from '#platform/mongo/webhook-endpoints.ts';
import type { SecretBox } from '#platform/secret-box.ts';
import { signatureFault, type SignatureFault, type SignedMessage } from '#platform/webhook-signature.ts';
import { prepared } from '../assets/prepared-record.ts';
import type { Intake, Submission } from '../assets/intake.ts';
import { parseJsonText } from '../http/json-text.ts';
import { inTime } from '../http/outage.ts';
import { holdingSecrets } from './endpoint-service.ts';
import type { Delivery } from './schemas.ts';

export interface DeliveryDeps {
  endpoints: Pick<WebhookEndpoints, 'byAddress'>;
  secretBox: Pick<SecretBox, 'open'>;
  intake: Intake;
}

/** Says in words what is wrong with a signature; nothing of what it should have been. */
const faultWords: Record<SignatureFault, string> = {
  missing: 'The headers webhook-id, webhook-timestamp and webhook-signature are needed (Standard Webhooks)',
  malformed: 'webhook-id must be 1 to 256 printable characters, webhook-timestamp seconds since 1970',
  'too-old': 'webhook-timestamp is more than five minutes ago',
  'too-new': 'webhook-timestamp is more than five minutes ahead',
  'no-match': 'No signature in webhook-signature is right for any secret that holds',
};

/**
 * Takes one webhook: verifies it, makes records of it, and answers when they are durable. What cannot be made a record
 * becomes a dead letter, and the answer says so: a sender cannot mend what it sends, so it is not asked to send it again.
 * The ids of the records follow from the endpoint, the `webhook-id` and the body, so a repetition changes nothing.
 *
 * @throws LilyError `not-found`, `bad-signature`, `unavailable`; `malformed-json` or `invalid-input` for a body that cannot even be kept
 */
export async function receiveWebhook(
  deps: DeliveryDeps,
  endpointId: string,
  headers: IncomingHttpHeaders,
  body: Buffer,
): Promise<Delivery> {
  const endpoint = await inTime('MongoDB', deps.endpoints.byAddress(endpointId));
  if (endpoint === undefined) throw new LilyError('not-found', 'There is no webhook endpoint at this address.');
  const message = messageOf(headers, body);
  const fault = signatureFault(holdingSecrets(endpoint, deps.secretBox), message, new Date());
  if (fault !== undefined) throw new LilyError('bad-signature', faultWords[fault]);
  const webhookId = message.id ?? '';
  const submissions = submissionsOf(endpoint, webhookId, body);
  const principal = { tenantId: endpoint.tenant_id, userId: `webhook:${endpoint.source}` };
  await deps.intake.submit(principal, submissions, { door: 'webhook' });
  return { status: 'success', webhook_id: webhookId, results: submissions.map(resultOf) };
}

function messageOf(headers: IncomingHttpHeaders, body: Buffer): SignedMessage {
  const one = (name: string): string | undefined => {
    const value = headers[name];
    return typeof value === 'string' ? value : undefined;
  };
  return { id: one('webhook-id'), timestamp: one('webhook-timestamp'), signature: one('webhook-signature'), body };
}

function submissionsOf(endpoint: WebhookEndpointDoc, webhookId: string, body: Buffer): Submission[] {
  const mapping = endpoint.mapping === undefined ? undefined : (JSON.parse(endpoint.mapping) as Mapping);
  const text = textOf(body);
  const recordId = (index: number) => recordIdFrom('webhook', endpoint._id, webhookId, text, index);
  const whole = (reason: RecordFault['reason'], detail: string): Submission[] => [
    { recordId: recordId(0), metadataId: '', value: text, fault: { reason, detail } },
  ];
  let document: Json;
  try {
    document = parseJsonText(body) as Json;
  } catch (error) {
    if (!(error instanceof LilyError)) throw error;
    return whole(error.code === 'malformed-json' ? 'malformed-json' : 'invalid-record', error.message);
  }
  const found = rowsOf(mapping, document);
  if (!found.ok) return whole('invalid-record', found.detail);
  return found.rows.map((row, index) => submissionOf(endpoint.tenant_id, mapping, row, index, recordId(index)));
}

function submissionOf(
  tenantId: string,
  mapping: Mapping | undefined,
  row: Json,
  index: number,
  recordId: string,
): Submission {
  const mapped = mapRow(mapping, row);
  const faulty = (detail: string): Submission => ({
    recordId,
    metadataId: '',
    value: JSON.stringify(row),
    fault: { reason: 'invalid-record', detail: `row ${index + 1}: ${detail}` },
  });
  if (!mapped.ok) return faulty(mapped.detail);
  try {
    return { recordId, ...prepared(tenantId, mapped.record) };
  } catch (error) {
    if (error instanceof LilyError) return faulty(error.message);
    throw error;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The body as text. Bytes that are none could not be kept as they are, so they are refused. */
function textOf(body: Buffer): string {
  if (body.length === 0) throw new LilyError('malformed-json', 'The body is empty');
  try {
    return utf8.decode(body);
  } catch (cause) {
    throw new LilyError('malformed-json', 'The body is not valid UTF-8', { cause });
  }
}

function resultOf({ recordId, metadataId, fault }: Submission): Delivery['results'][number] {
  if (fault === undefined) return { status: 'accepted', record_id: recordId, metadata_id: metadataId };
  return { status: 'dead-letter', record_id: recordId, reason: fault.reason, detail: fault.detail };
}
