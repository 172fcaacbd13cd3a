import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IngestBody } from '#domain/assets/record.ts';
import { recordText } from '#test/support/consistency/expected-history.ts';
import { newContent, type LoadEntity } from './content.ts';
import type { Ledger } from './ledger.ts';
import type { Random } from './random.ts';
import type { Answer, RestClient } from './rest-client.ts';

export interface RestLoadOptions {
  client: RestClient;
  ledger: Ledger;
  random: Random;
  /** The entities that this client alone writes. */
  entities: readonly [LoadEntity, ...LoadEntity[]];
  /** Whether all clients together are ahead of the pace, so that this one should wait. */
  isAhead: () => boolean;
  /** Says when to stop. */
  goesOn: () => boolean;
}

interface BatchResult {
  results: { status: 'success' | 'error'; record_id?: string; metadata_id?: string }[];
}

/** One client of the REST API: arrays, single writes, deletions, conditional writes. It waits for each answer. */
export async function restLoad(options: RestLoadOptions): Promise<void> {
  while (options.goesOn()) {
    if (options.isAhead()) await sleep(20 + options.random.below(60));
    else if (options.random.chance(0.1)) await sendArray(options);
    else await sendOne(options);
  }
}

/** An array, in which an entity may stand several times: new, the same again, and back to what it was. */
async function sendArray({ client, ledger, random, entities }: RestLoadOptions): Promise<void> {
  const size = random.chance(0.05) ? 200 + random.below(400) : 5 + random.below(60);
  const sent = Array.from({ length: size }, () => {
    const entity = random.pick(entities);
    return { entity, body: nextContent(entity, random) };
  });
  const answer = await client.send({
    method: 'POST',
    path: '/ingest-metadata',
    headers: idempotencyKey(random),
    body: sent.map(({ body }) => body),
  });
  if (answer === undefined) return;
  if (answer.status !== 202 && answer.status !== 200) throw unexpected('an array', answer);
  const { results } = answer.body as BatchResult;
  results.forEach((result, index) => {
    const item = sent[index];
    if (item === undefined || result.record_id === undefined) throw unexpected('an item of an array', answer);
    acknowledge(ledger, item.entity, result.record_id, item.body);
  });
}

async function sendOne(options: RestLoadOptions): Promise<void> {
  const { random, entities } = options;
  const entity = random.pick(entities);
  const roll = random.next();
  if (entity.last === undefined || roll < 0.55) await sendSingle(options, entity);
  else if (roll < 0.75) await remove(options, entity);
  else await replaceIfMatch(options, entity);
}

/** One record; now and then the client waits until it is applied, and then a read must see it. */
async function sendSingle({ client, ledger, random }: RestLoadOptions, entity: LoadEntity): Promise<void> {
  const body = nextContent(entity, random);
  const waits = random.chance(0.05);
  const answer = await client.send({
    method: 'POST',
    path: '/ingest-metadata',
    headers: { ...idempotencyKey(random), ...(waits && { prefer: 'wait=20' }) },
    body,
  });
  if (answer === undefined) return;
  const recordId = answer.headers.get('lily-record-id');
  if ((answer.status !== 202 && answer.status !== 200) || recordId === null) throw unexpected('a record', answer);
  acknowledge(ledger, entity, recordId, body);
  if (waits) ledger.waits += 1;
  if (answer.status !== 200) return;
  const read = await client.send({ method: 'GET', path: `/metadata/${entity.entityId}` });
  if (read === undefined) return;
  ledger.readsAfterWrite += 1;
  const shown = read.body as { attributes?: { description?: string } };
  if (read.status === 200 && shown.attributes?.description === body.attributes.description) return;
  ledger.staleReads.push(
    `${entity.entityId}, record ${recordId}: ${read.status} ${shown.attributes?.description ?? ''} instead of ${body.attributes.description ?? ''}`,
  );
}

async function remove({ client, ledger, random }: RestLoadOptions, entity: LoadEntity): Promise<void> {
  const answer = await client.send({
    method: 'DELETE',
    path: `/metadata/${entity.entityId}`,
    headers: idempotencyKey(random),
  });
  acknowledgeChange(ledger, entity, answer, undefined);
}

/** Reads, perhaps changes the entity in between, and replaces it if it still is what was read: often it is not when applied. */
async function replaceIfMatch(options: RestLoadOptions, entity: LoadEntity): Promise<void> {
  const { client, ledger, random } = options;
  const read = await client.send({ method: 'GET', path: `/metadata/${entity.entityId}` });
  const etag = read?.headers.get('etag');
  if (read?.status !== 200 || etag === null || etag === undefined) return;
  if (random.chance(0.6)) await sendSingle(options, entity);
  const content = newContent(entity, random);
  const { entity_type: _type, qualified_name: _name, ...body } = content;
  const answer = await client.send({
    method: 'PUT',
    path: `/metadata/${entity.entityId}`,
    headers: { ...idempotencyKey(random), 'if-match': etag },
    body,
  });
  acknowledgeChange(ledger, entity, answer, content);
}

/** A change of an entity that must exist: Lily refuses when it does not, or not yet. */
function acknowledgeChange(
  ledger: Ledger,
  entity: LoadEntity,
  answer: Answer | undefined,
  content: IngestBody | undefined,
): void {
  if (answer === undefined) return;
  const recordId = answer.headers.get('lily-record-id');
  if (answer.status === 202 && recordId !== null) acknowledge(ledger, entity, recordId, content);
  else if (answer.status === 404 || answer.status === 412) ledger.refused += 1;
  else throw unexpected('a change', answer);
}

function acknowledge(ledger: Ledger, entity: LoadEntity, recordId: string, content: IngestBody | undefined): void {
  const { tenantId, entityId, entityType: entity_type, qualifiedName: qualified_name } = entity;
  const text = content && recordText(tenantId, { op: 'upsert', ...content, entity_type, qualified_name });
  ledger.acknowledge({ tenantId, entityId, recordId, content: text });
}

/** Mostly something new; now and then the same again, or what it was before. */
export function nextContent(entity: LoadEntity, random: Random): IngestBody {
  const roll = random.next();
  const kept = roll < 0.2 ? entity.last : roll < 0.3 ? entity.before : undefined;
  const content = kept ?? newContent(entity, random);
  if (content !== entity.last) {
    if (entity.last !== undefined) entity.before = entity.last;
    entity.last = content;
  }
  return content;
}

/** Half of the requests are safe to repeat; the others may arrive more than once. */
function idempotencyKey(random: Random): Record<string, string> {
  return random.chance(0.5) ? { 'idempotency-key': randomUUID() } : {};
}

function unexpected(what: string, answer: Answer): Error {
  return new Error(`${what} got ${answer.status}: ${JSON.stringify(answer.body).slice(0, 500)}`);
}
