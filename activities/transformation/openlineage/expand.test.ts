import { describe, expect, it } from 'vitest';
import type { RunFacts } from '#domain/openlineage/run.ts';
import type { RuleSet } from '#domain/transformation/rules/rule-set.ts';
import { ruleSetSchema } from '#domain/transformation/rules/schema.ts';
import type { RawRecordDoc } from '#platform/mongo/collections.ts';
import { ruleCompiler } from '#platform/rule-compiler.ts';
import { expandEvents, type Expansion } from './expand.ts';

const compile = ruleCompiler(Buffer.alloc(32, 7));

/** Fails on datasets that are described, and have no owner. */
const ownedOnly: RuleSet = compile(
  'acme',
  1,
  ruleSetSchema.parse({
    rules: [
      {
        name: 'owned',
        kind: 'derive',
        path: 'label',
        expression: 'attributes.owner',
        when: 'entity_type == "dataset" && has(attributes.description) && attributes.description != null',
      },
    ],
  }),
);

const described = (description: string): object => ({
  documentation: { _producer: 'p', _schemaURL: 's', description },
});
const fields = (...names: string[]): object => ({
  schema: { _producer: 'p', _schemaURL: 's', fields: names.map((name) => ({ name, type: 'text' })) },
});

interface Dataset {
  name: string;
  facets?: object;
}

function runEvent(id: string, job: string, outputs: Dataset[]): RawRecordDoc {
  return {
    _id: id,
    tenant_id: 'acme',
    batch_id: 'b1',
    seq: 0,
    entity_id: '',
    received_at: new Date('2026-01-01T00:00:00Z'),
    door: 'openlineage',
    actor: 'airflow',
    format: 'openlineage',
    body: JSON.stringify({
      eventTime: '2026-01-01T00:00:00Z',
      eventType: 'COMPLETE',
      producer: 'p',
      schemaURL: 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent',
      run: { runId: crypto.randomUUID() },
      job: { namespace: 'etl', name: job },
      outputs: outputs.map((output) => ({ namespace: 'db', ...output })),
    }),
  };
}

async function expand(raws: RawRecordDoc[], rules?: RuleSet): Promise<Expansion & { claimed: string[] }> {
  const claimed: string[] = [];
  const expansion = await expandEvents(
    {
      openLineage: {
        load: () => Promise.resolve(new Map()),
        claim: (_tenantId, _batchId, changes) => {
          claimed.push(...changes.map(({ entityId }) => entityId));
          return Promise.resolve();
        },
      },
      lineageRuns: {
        update: (_tenantId, runIds, change) =>
          Promise.resolve(new Map<string, RunFacts>(runIds.map((runId) => [runId, change(runId, undefined).facts]))),
      },
    },
    { tenantId: 'acme', batchId: 'b1', source: 'lily.ingest' },
    raws,
    rules,
  );
  return { ...expansion, claimed };
}

const namesOf = ({ records }: Expansion): unknown[] => records.map(({ record }) => record.attributes?.['name']).sort();
const refusedOf = ({ letters }: Expansion): unknown[] =>
  letters.map(({ record_id, reason, rule }) => [record_id, reason, rule]);

describe('events under rules', () => {
  it('are taken in as a whole when no rule fails', async () => {
    const expansion = await expand([runEvent('e1', 'load', [{ name: 'orders', facets: fields('id') }])], ownedOnly);
    expect(namesOf(expansion)).toEqual(['id', 'load', 'orders']);
    expect(expansion.letters).toEqual([]);
  });

  it('are refused as a whole when a rule fails on one of their entities, once, and hold up no others', async () => {
    const expansion = await expand(
      [
        runEvent('e1', 'load', [
          { name: 'customers', facets: fields('id') },
          { name: 'orders', facets: described('all orders') },
        ]),
        runEvent('e2', 'report', [{ name: 'sales' }]),
      ],
      ownedOnly,
    );
    expect(refusedOf(expansion)).toEqual([['e1', 'rule-failed', 'owned']]);
    expect(namesOf(expansion)).toEqual(['report', 'sales']);
    // What was not stored is neither claimed nor noted as applied: the event says it again when it is replayed.
    expect(expansion.applied).toHaveLength(2);
    expect(expansion.claimed).toEqual(expansion.applied.map(({ entityId }) => entityId));
  });

  it('that speak of the same entity share its fate, and what else they say is not half there', async () => {
    const expansion = await expand(
      [
        runEvent('e1', 'first', [{ name: 'orders' }, { name: 'customers' }]),
        runEvent('e2', 'second', [{ name: 'orders', facets: described('all orders') }]),
        runEvent('e3', 'third', [{ name: 'customers', facets: fields('id') }]),
      ],
      ownedOnly,
    );
    expect(refusedOf(expansion)).toEqual([
      ['e1', 'rule-failed', 'owned'],
      ['e2', 'rule-failed', 'owned'],
    ]);
    expect(namesOf(expansion)).toEqual(['customers', 'id', 'third']);
    expect(expansion.records.every(({ origin }) => origin._id === 'e3')).toBe(true);
  });

  it('are not refused by a rule that drops one of their entities', async () => {
    const drops = compile(
      'acme',
      1,
      ruleSetSchema.parse({ rules: [{ name: 'no-temp', kind: 'drop', when: 'name == "tmp"' }] }),
    );
    const expansion = await expand([runEvent('e1', 'load', [{ name: 'tmp' }, { name: 'orders' }])], drops);
    expect(namesOf(expansion)).toEqual(['load', 'orders']);
    expect(expansion.letters).toEqual([]);
  });
});
