import { beforeAll, describe, expect, it } from 'vitest';
import { metadataId } from '#platform/digest.ts';
import { apiOf, freshTenant, ingest, record, tokenOf, waiting, type Api } from './client.ts';

const tenant = freshTenant();
let api: Api;

beforeAll(async () => {
  api = apiOf(await tokenOf(tenant));
});

describe('POST /ingest-metadata', () => {
  it('acknowledges with 202, and the record can be followed until it is applied', async () => {
    const answer = await api('POST', '/ingest-metadata', { json: { ...record('ack'), tenant_id: tenant } });
    const id = metadataId(tenant, 'table', 'ack');
    expect(answer.status).toBe(202);
    expect(answer.body).toEqual({ status: 'success', metadata_id: id });
    expect(answer.headers.get('location')).toBe(`/metadata/${id}`);
    const link = /^<(\/v1\/records\/[^>]+)>; rel="status"$/.exec(answer.headers.get('link') ?? '')?.[1] ?? '';
    await expect
      .poll(async () => (await api('GET', link)).body, { timeout: 20_000 })
      .toMatchObject({
        state: 'applied',
        metadata_id: id,
        version: 1,
        record_id: answer.headers.get('lily-record-id'),
      });
  });

  it('answers 200 with Prefer: wait, and a read after it sees it', async () => {
    const answer = await api('POST', '/ingest-metadata', {
      json: record('waited'),
      headers: { Prefer: 'wait=30, foo' },
    });
    expect(answer).toMatchObject({ status: 200, body: { status: 'success', version: 1, outcome: 'created' } });
    expect(answer.body['workflow_id']).toBeTypeOf('string');
    expect(answer.headers.get('preference-applied')).toBe('wait=30');
    const read = await api('GET', `/metadata/${String(answer.body['metadata_id'])}`);
    expect(read).toMatchObject({
      status: 200,
      body: { version: 1, attributes: { name: 'waited' }, tenant_id: tenant },
    });
    const again = await api('POST', '/ingest-metadata', { json: record('waited'), headers: waiting });
    expect(again).toMatchObject({ status: 200, body: { outcome: 'unchanged', version: 1 } });
  });

  it('takes an array, with a result for each', async () => {
    const json = [
      record('a1'),
      { entity_type: 'table' },
      record('a2'),
      record('a1', { attributes: { name: 'a1', description: 'second' } }),
    ];
    const answer = await api('POST', '/ingest-metadata', { json, headers: waiting });
    expect(answer.status).toBe(200);
    expect(answer.body.results?.map(({ status }) => status)).toEqual(['success', 'error', 'success', 'success']);
    expect(answer.body.results?.[1]).toMatchObject({ error: { status: 400, field: '/attributes' } });
    const read = await api('GET', `/metadata/${metadataId(tenant, 'table', 'a1')}`);
    expect(read.body).toMatchObject({ version: 2, attributes: { description: 'second' } });
  });

  it('takes 1,000 at once, and not one more', async () => {
    const json = Array.from({ length: 1_000 }, (_, index) => record(`many-${index}`));
    const answer = await api('POST', '/ingest-metadata', { json });
    expect(answer.status).toBe(202);
    expect(new Set(answer.body.results?.map((result) => result['record_id'])).size).toBe(1_000);
    expect((await api('POST', '/ingest-metadata', { json: [...json, record('one more')] })).status).toBe(400);
  });

  it('does a write once for its Idempotency-Key', async () => {
    const headers = { 'Idempotency-Key': 'k-1' };
    const first = await Promise.all(
      Array.from({ length: 5 }, () => api('POST', '/ingest-metadata', { json: record('once'), headers })),
    );
    expect(new Set(first.map(({ headers: answered }) => answered.get('lily-record-id'))).size).toBe(1);
    expect(first.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202]);
    expect(first.filter(({ headers: answered }) => answered.get('idempotency-replayed') === 'true')).toHaveLength(4);
    const other = await api('POST', '/ingest-metadata', { json: record('other'), headers });
    expect(other).toMatchObject({ status: 422, body: { code: 'idempotency-key-reused' } });
    expect((await api('GET', `/metadata/${metadataId(tenant, 'table', 'other')}`)).status).toBe(404);
  });

  it('replays the answer of a conditional write, although the condition no longer holds', async () => {
    const id = await ingest(api, 'replayed');
    const plan = {
      json: { attributes: { name: 'replayed', n: 2 } },
      headers: { ...waiting, 'If-Match': '"1"', 'Idempotency-Key': 'k-2' },
    };
    const first = await api('PUT', `/metadata/${id}`, plan);
    expect(first).toMatchObject({ status: 200, body: { version: 2 } });
    expect(await api('PUT', `/metadata/${id}`, plan)).toMatchObject({ status: 200, body: first.body });
  });
});

describe('/metadata/{id}', () => {
  it('keeps odd but legal JSON as it is', async () => {
    const attributes = {
      name: 'odd',
      $set: { 'a.b': { $where: [1, null, { '': '' }] } },
      'dots.in.names': true,
      constructor: { prototype: 'x' },
      text: 'NUL \u0000, tab \t, emoji 😀, \u2028',
      numbers: [0.1, -1.5e-300, 9_007_199_254_740_991, 1e300],
      nested: JSON.parse('['.repeat(30) + ']'.repeat(30)) as unknown,
    };
    const id = await ingest(api, 'odd', { attributes });
    const { body } = await api('GET', `/metadata/${id}`);
    expect(JSON.stringify(sorted(body['attributes']))).toBe(JSON.stringify(sorted(attributes)));
  });

  it('is replaced by PUT, wholly', async () => {
    const id = await ingest(api, 'whole', { attributes: { name: 'whole', tags: ['a'], extra: 1 } });
    const put = await api('PUT', `/metadata/${id}`, { json: { attributes: { name: 'new name' } }, headers: waiting });
    expect(put).toMatchObject({ status: 200, body: { version: 2, outcome: 'updated', metadata_id: id } });
    const { body } = await api('GET', `/metadata/${id}`);
    expect(body).toMatchObject({ attributes: { name: 'new name' }, qualified_name: 'whole' });
    expect(body['attributes']).toEqual({ name: 'new name' });
    const renamed = await api('PUT', `/metadata/${id}`, {
      json: { attributes: { name: 'x' }, qualified_name: 'elsewhere' },
    });
    expect(renamed).toMatchObject({ status: 400, body: { field: '/qualified_name' } });
  });

  it('honours If-Match and If-None-Match', async () => {
    const id = await ingest(api, 'etag');
    const read = await api('GET', `/metadata/${id}`);
    expect(read.headers.get('etag')).toBe('"1"');
    expect((await api('GET', `/metadata/${id}`, { headers: { 'If-None-Match': '"1"' } })).status).toBe(304);
    const json = { attributes: { name: 'etag', n: 1 } };
    const stale = await api('PUT', `/metadata/${id}`, { json, headers: { 'If-Match': '"7"' } });
    expect(stale).toMatchObject({ status: 412, body: { code: 'version-mismatch' } });
    expect((await api('DELETE', `/metadata/${id}`, { headers: { 'If-Match': 'W/"1"' } })).status).toBe(412);
    // Both see version 1 and send; only one may win, although both passed the early check.
    const race = await Promise.all(
      [1, 2].map((n) =>
        api('PUT', `/metadata/${id}`, {
          json: { attributes: { name: 'etag', n: n + 10 } },
          headers: { ...waiting, 'If-Match': '"1"' },
        }),
      ),
    );
    expect(race.map(({ status }) => String(status)).toSorted()).toEqual(['200', '412']);
    expect((await api('GET', `/metadata/${id}`)).body['version']).toBe(2);
  });

  it('is deleted, keeps its history, and can be read as of a moment', async () => {
    const before = new Date(Date.now() - 1_000).toISOString();
    const id = await ingest(api, 'mortal', { attributes: { name: 'mortal', n: 1 } });
    const first = (await api('GET', `/metadata/${id}`)).body['updated_at'] as string;
    await ingest(api, 'mortal', { attributes: { name: 'mortal', n: 2 } });
    const gone = await api('DELETE', `/metadata/${id}`, { headers: { ...waiting, 'If-Match': '*' } });
    expect(gone).toMatchObject({ status: 200, body: { outcome: 'deleted', version: 3 } });
    for (const [method, json] of [['GET'], ['DELETE'], ['PUT', { attributes: { name: 'x' } }]] as const) {
      expect((await api(method, `/metadata/${id}`, json === undefined ? {} : { json })).status, method).toBe(404);
    }
    const asOf = (time: string) => api('GET', `/metadata/${id}?as_of=${encodeURIComponent(time)}`);
    expect(await asOf(first)).toMatchObject({
      status: 200,
      body: { version: 1, attributes: { n: 1 }, is_current: false },
    });
    expect((await asOf(before)).status).toBe(404);
    expect((await asOf(new Date(Date.now() + 1_000).toISOString())).status).toBe(404);
    const back = await api('POST', '/ingest-metadata', { json: record('mortal'), headers: waiting });
    expect(back).toMatchObject({ status: 200, body: { version: 4 } });

    const pages: unknown[] = [];
    for (let path = `/v1/metadata/${id}/versions?limit=3`; path !== '';) {
      const page = await api('GET', path);
      pages.push(page.body.items?.map(({ version }) => version));
      const cursor = page.body['next_cursor'] as string | null;
      path = cursor === null ? '' : `/v1/metadata/${id}/versions?limit=3&cursor=${cursor}`;
    }
    expect(pages).toEqual([[4, 3, 2], [1]]);
  });
});

describe('lineage', () => {
  it('is walked in both directions, to the depth that is asked for', async () => {
    const ref = (name: string) => ({ entity_type: 'table', qualified_name: name });
    await ingest(api, 'l0');
    await ingest(api, 'l1', { upstream: [ref('l0')] });
    await ingest(api, 'l2', { upstream: [{ metadata_id: metadataId(tenant, 'table', 'l1') }] });
    const names = async (name: string, query: string) => {
      const { status, body } = await api('GET', `/v1/metadata/${metadataId(tenant, 'table', name)}/lineage?${query}`);
      expect(status).toBe(200);
      return (body['nodes'] as { name: string; distance: number }[])
        .map((node) => `${node.name}@${node.distance}`)
        .toSorted();
    };
    expect(await names('l0', 'direction=downstream&depth=20')).toEqual(['l0@0', 'l1@1', 'l2@2']);
    expect(await names('l0', 'direction=downstream&depth=1')).toEqual(['l0@0', 'l1@1']);
    expect(await names('l2', 'direction=upstream')).toEqual(['l0@2', 'l1@1', 'l2@0']);
  });
});

describe('the API itself', () => {
  it('tells its health without a token', async () => {
    const nobody = apiOf();
    expect(await nobody('GET', '/healthz')).toMatchObject({ status: 200, body: { status: 'ok' } });
    const ready = await nobody('GET', '/readyz');
    expect(ready.status).toBe(200);
    expect(Object.keys(ready.body['dependencies'] as object)).toEqual([
      'mongodb',
      'kafka',
      'neo4j',
      'temporal',
      'identity-provider',
    ]);
  });

  it('describes itself, and serves its documentation from here', async () => {
    const nobody = apiOf();
    expect((await nobody('GET', '/openapi.json')).body['openapi']).toBe('3.1.0');
    const page = await nobody('GET', '/docs/');
    expect(page.status).toBe(200);
    expect(String(page.body['text'])).not.toMatch(/(src|href)="(https?:)?\/\//);
    for (const file of ['swagger-ui-bundle.js', 'swagger-ui.css', 'swagger-ui-init.js']) {
      expect((await nobody('GET', `/docs/${file}`)).status, file).toBe(200);
    }
  });

  it('continues the trace of the caller', async () => {
    const traceId = 'a'.repeat(32);
    const answer = await api('GET', '/nothing', { headers: { traceparent: `00-${traceId}-${'b'.repeat(16)}-01` } });
    expect(answer).toMatchObject({ status: 404, body: { trace_id: traceId, instance: '/nothing' } });
    expect(answer.headers.get('traceparent')).toContain(traceId);
  });
});

/** Keys may come back in another order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
