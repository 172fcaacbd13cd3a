import { describe, expect, it } from 'vitest';
import { remainingAfter } from './earlier-attempt.ts';
import { planVersions } from './plan-versions.ts';
import { prepare, type PreparedRecord } from './prepare.ts';

function record(id: string, body: object): PreparedRecord {
  const prepared = prepare({
    _id: id,
    tenant_id: 'acme',
    batch_id: 'b1',
    seq: 0,
    entity_id: '',
    received_at: new Date(0),
    door: 'rest',
    actor: 'ada',
    body: JSON.stringify({ op: 'upsert', entity_type: 'table', qualified_name: 'db.t', ...body }),
  });
  if (!prepared.ok) throw new Error(prepared.letter.detail);
  return prepared.record;
}

const saying = (description: string) => ({ attributes: { name: 't', description } });

const records = [
  record('r1', { op: 'delete' }),
  record('r2', saying('a')),
  record('r3', saying('a')),
  record('r4', { ...saying('x'), expected_version: 2 }),
  record('r5', saying('b')),
  record('r6', saying('b')),
  record('r7', { ...saying('other'), qualified_name: 'db.other' }),
];
const { versions } = planVersions('acme', new Map(), records);

describe('remainingAfter', () => {
  it('leaves all records open when nothing was written', () => {
    expect(remainingAfter(records, [])).toEqual({ open: records, refused: [] });
  });

  it('never applies a record that changed nothing once a later one of its entity has been applied', () => {
    const written = versions
      .filter(({ record: one }) => ['r2', 'r5'].includes(one.recordId))
      .map(({ version }) => version);
    const { open, refused } = remainingAfter(records, written);
    expect(open.map((one) => one.recordId)).toEqual(['r6', 'r7']);
    expect(refused.map(({ record: one, found }) => [one.recordId, found])).toEqual([['r4', 1]]);
  });

  it('goes on behind the last version of each entity', () => {
    const written = versions.filter(({ record: one }) => one.recordId === 'r2').map(({ version }) => version);
    expect(remainingAfter(records, written).open.map((one) => one.recordId)).toEqual(['r3', 'r4', 'r5', 'r6', 'r7']);
  });
});
