import { beforeAll, expect, it } from 'vitest';
import { metadataId } from '#platform/digest.ts';
import { apiOf, freshTenant, ingest, record, tokenOf, waiting, type Answer, type Api } from './client.ts';

const [acme, globex] = [freshTenant(), freshTenant()];
let ours: Api;
let theirs: Api;
let id: string;
let recordId: string;

beforeAll(async () => {
  [ours, theirs] = [apiOf(await tokenOf(acme)), apiOf(await tokenOf(globex, ['admin']))];
  const answer = await ours('POST', '/ingest-metadata', { json: record('secret'), headers: waiting });
  id = answer.body['metadata_id'] as string;
  recordId = answer.headers.get('lily-record-id') ?? '';
});

/** The answer without what differs from request to request. */
function comparable({ status, body }: Answer, unlike: string): string {
  return JSON.stringify({ status, ...body, trace_id: '' }).replaceAll(unlike, 'ID');
}

it.each([
  ['GET', '/metadata/ID', {}],
  ['GET', '/metadata/ID?as_of=2100-01-01T00:00:00Z', {}],
  ['PUT', '/metadata/ID', { json: { attributes: { name: 'theirs' } } }],
  ['PUT', '/metadata/ID', { json: { attributes: { name: 'theirs' } }, headers: { 'If-Match': '"1"' } }],
  ['DELETE', '/metadata/ID', {}],
  ['DELETE', '/metadata/ID', { headers: { 'If-Match': '"9"' } }],
  ['GET', '/v1/metadata/ID/versions', {}],
  ['GET', '/v1/metadata/ID/lineage', {}],
])("%s %s of another tenant's entity answers as for an unknown one", async (method, path, plan) => {
  const unknown = '00000000-0000-8000-8000-000000000000';
  const answer = await theirs(method, path.replace('ID', id), plan);
  expect(answer.status).toBe(404);
  expect(comparable(answer, id)).toBe(comparable(await theirs(method, path.replace('ID', unknown), plan), unknown));
});

it('records are as hidden', async () => {
  expect((await ours('GET', `/v1/records/${recordId}`)).status).toBe(200);
  expect((await theirs('GET', `/v1/records/${recordId}`)).status).toBe(404);
});

it('the same name is another entity, and a reference finds only one of its own', async () => {
  const same = await ingest(theirs, 'secret', { attributes: { name: 'secret', theirs: true } });
  expect(same).toBe(metadataId(globex, 'table', 'secret'));
  expect(same).not.toBe(id);
  const child = await ingest(theirs, 'child', { upstream: [{ metadata_id: id }] });
  const { body } = await theirs('GET', `/v1/metadata/${child}/lineage?direction=upstream`);
  expect((body['nodes'] as unknown[]).length).toBe(1);
  const { body: lineage } = await ours('GET', `/v1/metadata/${id}/lineage`);
  expect((lineage['nodes'] as unknown[]).length).toBe(1);
  expect((await ours('GET', `/metadata/${id}`)).body).toMatchObject({ version: 1, attributes: { name: 'secret' } });
});

it("an Idempotency-Key is its tenant's own", async () => {
  const plan = { json: record('keyed'), headers: { 'Idempotency-Key': 'shared' } };
  const [first, second] = [
    await ours('POST', '/ingest-metadata', plan),
    await theirs('POST', '/ingest-metadata', plan),
  ];
  expect([first.status, second.status]).toEqual([202, 202]);
  expect(second.headers.get('idempotency-replayed')).toBeNull();
});
