import type { Request, RequestHandler, Response } from 'express';
import type { Principal } from '#domain/access/principal.ts';
import type { Entity } from '#domain/assets/entity.ts';
import { replaceBodySchema, type ReplaceBody, type StatedRecord } from '#domain/assets/record.ts';
import { LilyError } from '#domain/errors.ts';
import type { IdempotencyKeys } from '#platform/mongo/idempotency.ts';
import type { Records } from '#platform/mongo/records.ts';
import { requireRole } from '../access/sign-in.ts';
import { sendAnswer, type Answer } from '../http/answer.ts';
import { matches } from '../http/conditions.ts';
import { idempotently, type RecordIds } from '../http/idempotent.ts';
import { InvalidInput, invalidInput } from '../http/invalid-input.ts';
import { jsonBody } from '../http/json-body.ts';
import { pathParameter, principalOf, traceOf } from '../http/locals.ts';
import { preferredWait } from '../http/prefer.ts';
import { noQuery } from '../http/query.ts';
import { writeAnswer, type Waited } from './answers.ts';
import { batchAnswer, prepareBatch } from './batch-ingest.ts';
import { earlierWrite } from './earlier-write.ts';
import type { Intake } from './intake.ts';
import { checkTenant, prepared, prepareIngest, type PreparedRecord } from './prepared-record.ts';
import type { AssetReads } from './read-service.ts';

export interface WriteDependencies {
  reads: AssetReads;
  records: Pick<Records, 'recordStatus'>;
  intake: Intake;
  idempotency: IdempotencyKeys;
}

/** The handlers of every write of entities: each sends records through Kafka, and answers as the caller prefers. */
export function assetWrites({ reads, records, intake, idempotency }: WriteDependencies) {
  const editor = requireRole('editor');

  const submitOne = async (request: Request, response: Response, record: PreparedRecord, ids: RecordIds) => {
    const waited = waitedOf(request, response);
    const submission = { ...record, recordId: ids(0) };
    const [receipt] = await intake.submit(principalOf(response), [submission], waited);
    return writeAnswer(submission, receipt, waited);
  };

  /**
   * Submits the record that `make` prepares from the entity as it is. When that no longer fits, the reason may be this very
   * write: sent before under the same record id, with an answer that was lost. Then the answer is what became of it.
   */
  const unlessSent = async (
    done: 'updated' | 'deleted',
    request: Request,
    response: Response,
    ids: RecordIds,
    make: () => Promise<PreparedRecord>,
  ): Promise<Answer> => {
    let record: PreparedRecord;
    try {
      record = await make();
    } catch (error) {
      const unfit = error instanceof LilyError && (error.code === 'not-found' || error.code === 'version-mismatch');
      if (!unfit) throw error;
      const waited = waitedOf(request, response);
      const recordId = ids(0);
      const sent = { tenantId: principalOf(response).tenantId, recordId, done };
      const earlier = await earlierWrite(records, sent, waited.waitSeconds);
      if (earlier === undefined) throw error;
      return writeAnswer({ recordId, metadataId: earlier.metadataId }, earlier.receipt, waited);
    }
    return submitOne(request, response, record, ids);
  };

  /** Runs a write once for its key, and answers. */
  const answering = (prepare: (request: Request, response: Response) => (ids: RecordIds) => Promise<Answer>) => {
    const handler: RequestHandler = async (request, response) => {
      noQuery(request);
      const run = prepare(request, response);
      sendAnswer(response, await idempotently(idempotency, request, principalOf(response), run));
    };
    return handler;
  };

  const ingest = answering((request, response) => {
    const principal = principalOf(response);
    const body: unknown = request.body;
    if (!Array.isArray(body)) {
      const record = prepareIngest(principal, body);
      return (ids) => submitOne(request, response, record, ids);
    }
    const items = prepareBatch(principal, body);
    const waited = waitedOf(request, response);
    return (ids) => batchAnswer(items, waited, ids, (records) => intake.submit(principal, records, waited));
  });

  const replace = answering((request, response) => {
    const principal = principalOf(response);
    const body = replacementBody(principal, request.body);
    return (ids) =>
      unlessSent('updated', request, response, ids, async () => {
        const { entity, expected } = await currentFor(request, principal);
        checkIdentity(entity, body);
        const { tenant_id: _tenant, ...content } = body;
        return prepared(principal.tenantId, recordFor(entity, { op: 'upsert', ...content, ...expected }));
      });
  });

  const remove = answering((request, response) => {
    const principal = principalOf(response);
    return (ids) =>
      unlessSent('deleted', request, response, ids, async () => {
        const { entity, expected } = await currentFor(request, principal);
        return prepared(principal.tenantId, recordFor(entity, { op: 'delete', ...expected }));
      });
  });

  /** The entity as it is, and the version that the caller insists on; the latter is checked again when applied. */
  const currentFor = async (request: Request, principal: Principal) => {
    const entity = await reads.current(principal.tenantId, pathParameter(request, 'id'));
    const condition = request.get('If-Match');
    if (!matches(condition, entity.version)) {
      throw new LilyError('version-mismatch', `The entity has version ${entity.version} now; read it again`);
    }
    const insists = condition !== undefined && condition.trim() !== '*';
    return { entity, expected: insists ? { expected_version: entity.version } : {} };
  };

  return {
    ingest: [editor, ...jsonBody(), ingest],
    replace: [editor, ...jsonBody(), replace],
    remove: [editor, remove],
  };
}

function waitedOf(request: Request, response: Response): Waited {
  return {
    waitSeconds: preferredWait(request.get('Prefer')),
    traceId: traceOf(response).traceId,
    instance: request.path,
  };
}

function replacementBody(principal: Principal, body: unknown): ReplaceBody {
  checkTenant(principal, body);
  const parsed = replaceBodySchema.safeParse(body);
  if (!parsed.success) throw invalidInput(parsed.error, 'body');
  return body as ReplaceBody;
}

function checkIdentity(entity: Entity, body: ReplaceBody): void {
  for (const field of ['entity_type', 'qualified_name'] as const) {
    if (body[field] === undefined || body[field] === entity[field]) continue;
    const detail = `cannot be changed: this entity's is ${entity[field]}. Leave it out, or delete this entity and create another`;
    throw new InvalidInput(`/${field} in the body ${detail}`, [{ field: `/${field}`, detail }]);
  }
}

type Change = Omit<StatedRecord, 'entity_type' | 'qualified_name'>;

function recordFor(entity: Entity, change: Change): StatedRecord {
  return { ...change, entity_type: entity.entity_type, qualified_name: entity.qualified_name };
}
