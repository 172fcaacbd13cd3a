import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IngestRecord } from '#domain/assets/record.ts';
import { loadConfig } from '#platform/config.ts';
import { metadataId } from '#platform/digest.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { freshTenant } from '#test/support/pipeline.ts';
import { dawn, pipelineOn } from './in-process.ts';

let mongo: Mongo;
let pipeline: ReturnType<typeof pipelineOn>;

beforeAll(async () => {
  mongo = await connectMongo(loadConfig(process.env).mongo);
  pipeline = pipelineOn(mongo.db);
});
afterAll(() => mongo.client.close());

function person(name: string, mail: string): IngestRecord {
  return { op: 'upsert', entity_type: 'person', qualified_name: name, attributes: { name, mail } };
}

async function mailOf(tenantId: string, name: string): Promise<unknown> {
  return (await pipeline.entities.get(tenantId, metadataId(tenantId, 'person', name)))?.attributes['mail'];
}

const masks = { kind: 'mask', path: 'mail', method: 'redact' };

describe('rules in the pipeline', () => {
  it('hold from the next batch on, for their own tenant, and can be rolled back', async () => {
    const [tenantId, other] = [freshTenant(), freshTenant()];
    await pipeline.arrive(tenantId, [person('a', 'a@x')]);
    const version = await pipeline.activate(tenantId, [masks]);
    await pipeline.arrive(tenantId, [person('b', 'b@x')], dawn + 100);
    await pipeline.arrive(other, [person('b', 'b@x')], dawn + 100);
    expect([await mailOf(tenantId, 'a'), await mailOf(tenantId, 'b'), await mailOf(other, 'b')]).toEqual([
      'a@x',
      '[redacted]',
      'b@x',
    ]);
    await pipeline.activate(tenantId, []);
    await pipeline.arrive(tenantId, [person('c', 'c@x')], dawn + 200);
    await pipeline.ruleSets.activate(tenantId, version, 'ada');
    await pipeline.arrive(tenantId, [person('d', 'd@x')], dawn + 300);
    expect([await mailOf(tenantId, 'c'), await mailOf(tenantId, 'd')]).toEqual(['c@x', '[redacted]']);
  });

  it('stay the same for a batch that is tried again after others were switched on', async () => {
    const tenantId = freshTenant();
    await pipeline.activate(tenantId, [masks]);
    const ref = { tenantId, batchId: `${tenantId}:test:bound`, source: 'test' };
    const body = JSON.stringify(person('a', 'a@x'));
    const raw = {
      recordId: `${tenantId}-1`,
      seq: 0,
      entityId: metadataId(tenantId, 'person', 'a'),
      door: 'rest',
      actor: 'ada',
    } as const;
    await pipeline.rawRecords.land(ref, [{ ...raw, body, receivedAt: new Date() }]);
    await pipeline.activate(tenantId, []);
    // Landed again, as after a crash, it keeps what it was bound to.
    await pipeline.rawRecords.land(ref, [{ ...raw, body, receivedAt: new Date() }]);
    await pipeline.apply(ref);
    expect(await mailOf(tenantId, 'a')).toBe('[redacted]');
    expect((await pipeline.rawRecords.batch(tenantId, ref.batchId))?.rules_version).toBe(1);
  });

  it('count what they drop and fail on as rejected, with the rule named', async () => {
    const tenantId = freshTenant();
    await pipeline.activate(tenantId, [
      { kind: 'drop', when: 'name.startsWith("tmp")' },
      { kind: 'derive', path: 'domain', expression: 'attributes.mail.split("@")[1]' },
    ]);
    const counts = await pipeline.arrive(tenantId, [person('a', 'a@x'), person('tmp1', 'b@x'), person('c', 'nothing')]);
    expect(counts).toMatchObject({ read: 3, created: 1, rejected: 2 });
    const letters = await pipeline.deadLetters.list(tenantId, { limit: 10 });
    expect(letters.map(({ reason, rule, state }) => [reason, rule, state]).sort()).toEqual([
      ['dropped-by-rule', 'r0', 'dropped'],
      ['rule-failed', 'r1', 'open'],
    ]);
  });

  it('versions are numbered one after the other, also when several are drafted at once', async () => {
    const tenantId = freshTenant();
    const drafts = Array.from({ length: 8 }, () => pipeline.ruleSets.add(tenantId, { rules: [], tests: [] }, 'ada'));
    const versions = (await Promise.all(drafts)).map(({ version }) => version);
    expect(versions.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });
});
