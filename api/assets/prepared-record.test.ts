import { describe, expect, it } from 'vitest';
import type { Receipt } from '#domain/transformation/batch.ts';
import { limits } from '#domain/limits.ts';
import { metadataId } from '#platform/digest.ts';
import { parseJsonText } from '../http/json-text.ts';
import { batchAnswer, prepareBatch } from './batch-ingest.ts';
import { prepareIngest } from './prepared-record.ts';

const ada = { tenantId: 'acme', userId: 'ada', roles: ['editor'] as const };
const body = (change: object = {}): object => ({ entity_type: 'table', attributes: { name: 'orders' }, ...change });
const waited = { waitSeconds: undefined, traceId: 't', instance: '/ingest-metadata' };
const ids = (index: number): string => `record-${index}`;

describe('prepareIngest', () => {
  it("keeps the caller's own JSON, whatever the keys", () => {
    const text =
      '{"entity_type":"table","tenant_id":"acme","attributes":{"name":"o","$where":1,"a.b":{"":[null]},"constructor":{"prototype":1},"toString":"x","z":"\\u0000"}}';
    const { value, metadataId: id } = prepareIngest(ada, parseJsonText(Buffer.from(text)));
    const sent = JSON.parse(value) as { attributes: unknown };
    expect(JSON.stringify(sent.attributes)).toBe(text.slice(text.indexOf('{"name"'), -1));
    expect(sent).toMatchObject({ op: 'upsert', entity_type: 'table', qualified_name: 'o' });
    expect(value).not.toContain('tenant_id');
    expect(id).toBe(metadataId('acme', 'table', 'o'));
  });

  it.each([
    [{ parent: { entity_type: 'schema', qualified_name: 'wh.sales' } }, 'wh.sales.orders'],
    [{ parent: { metadata_id: metadataId('acme', 'schema', 'x') } }, `${metadataId('acme', 'schema', 'x')}.orders`],
    [{ qualified_name: 'given' }, 'given'],
    [{}, 'orders'],
  ])('names %j', (change, name) => {
    expect(JSON.parse(prepareIngest(ada, body(change)).value)).toMatchObject({ qualified_name: name });
  });

  it.each([
    ['another tenant', body({ tenant_id: 'globex' }), 'tenant-mismatch', '/tenant_id'],
    ['a tenant that is no text', body({ tenant_id: 7 }), 'invalid-input', '/tenant_id'],
    ['no type', { attributes: { name: 'x' } }, 'invalid-input', '/entity_type'],
    ['no attributes', { entity_type: 'table' }, 'invalid-input', '/attributes'],
    ['no name', body({ attributes: {} }), 'invalid-input', '/attributes/name'],
    ['an unknown field', body({ attribute: {} }), 'invalid-input', '/attribute'],
    [
      '10,000 tags',
      body({ attributes: { name: 'x', tags: Array(10_000).fill('t') } }),
      'invalid-input',
      '/attributes/tags',
    ],
    [
      'a tag that is no text',
      body({ attributes: { name: 'x', tags: ['a', 1] } }),
      'invalid-input',
      '/attributes/tags/1',
    ],
    ['NUL in the name', body({ attributes: { name: 'a\u0000b' } }), 'invalid-input', '/attributes/name'],
    ['NUL in a key', body({ attributes: { name: 'a', 'x\u0000': 1 } }), 'invalid-input', '/attributes'],
    [
      'a name too long with its parent',
      body({ parent: { entity_type: 's', qualified_name: 'q'.repeat(2_040) }, attributes: { name: 'n'.repeat(20) } }),
      'invalid-input',
      '/attributes/name',
    ],
    [
      'a record too large',
      body({ attributes: { name: 'x', blob: 'y'.repeat(limits.recordBytes) } }),
      'body-too-large',
      undefined,
    ],
    ['no object', 'text', 'invalid-input', ''],
    ['null', null, 'invalid-input', ''],
  ])('refuses %s', (_what, wrong, code, field) => {
    expect(() => prepareIngest(ada, wrong)).toThrowError(expect.objectContaining({ code, field }) as Error);
  });
});

describe('an array of records', () => {
  const submit = (receipt?: Partial<Receipt>) => async (records: { recordId: string }[]) =>
    records.map(({ recordId }) =>
      receipt === undefined ? undefined : { recordId, workflowId: 'w', outcome: 'created' as const, ...receipt },
    );

  it('takes the good ones, and says of the others why not, in order', async () => {
    const items = prepareBatch(ada, [body(), { entity_type: 1 }, body({ qualified_name: 'b' })]);
    const sent: string[] = [];
    const answer = await batchAnswer(items, waited, ids, async (records) => {
      sent.push(...records.map(({ recordId }) => recordId));
      return [];
    });
    expect(sent).toEqual(['record-0', 'record-2']);
    expect(answer).toMatchObject({
      status: 202,
      body: {
        status: 'success',
        results: [
          { status: 'success', metadata_id: metadataId('acme', 'table', 'orders'), record_id: 'record-0' },
          { status: 'error', error: { code: 'invalid-input', status: 400, field: '/entity_type' } },
          { status: 'success', record_id: 'record-2' },
        ],
      },
    });
  });

  it('answers 200 once the fate of every one is known', async () => {
    const items = prepareBatch(ada, [body(), body({ qualified_name: 'b' })]);
    const applied = await batchAnswer(items, { ...waited, waitSeconds: 3 }, ids, submit({ version: 1 }));
    expect(applied).toMatchObject({ status: 200, headers: { 'Preference-Applied': 'wait=3' } });
    const rejected = await batchAnswer(items, waited, ids, submit({ outcome: 'version-mismatch' }));
    expect(rejected.body).toMatchObject({
      results: [{ status: 'error', error: { status: 412 } }, { status: 'error' }],
    });
  });

  it('is a problem when not one was good, with the status that all share', async () => {
    const refuse = async (): Promise<never> => Promise.reject(new Error('must not send'));
    const alike = await batchAnswer(prepareBatch(ada, [body({ tenant_id: 'globex' })]), waited, ids, refuse);
    expect(alike).toMatchObject({ status: 403, body: { code: 'tenant-mismatch', results: [{ status: 'error' }] } });
    const mixed = await batchAnswer(prepareBatch(ada, [body({ tenant_id: 'globex' }), 1]), waited, ids, refuse);
    expect(mixed).toMatchObject({ status: 400, body: { code: 'invalid-input', results: [{}, {}] } });
  });

  it.each([0, 1_001])('refuses %d records', (count) => {
    expect(() => prepareBatch(ada, Array(count).fill(body()))).toThrow(/1 to 1000 records/);
  });
});
