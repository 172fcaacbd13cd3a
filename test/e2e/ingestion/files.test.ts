import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '#domain/limits.ts';
import { loadConfig } from '#platform/config.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { apiOf, freshTenant, stack, tokenOf, type Answer, type Api } from '#test/e2e/api/client.ts';
import { workbookParts, zipOf } from '#test/support/zip-writer.ts';

const minutes = 60_000;
const types = { entity_type: { value: 'table' }, qualified_name: 'qn', attributes: { name: 'name', owner: 'owner' } };

let mongo: Mongo;
beforeAll(async () => {
  mongo = await connectMongo(loadConfig(process.env).mongo);
});
afterAll(async () => mongo.client.close());

interface Run {
  run_id: string;
  state: string;
  counts: Record<string, number>;
  pages: number;
  reason: string | null;
}

async function operator(): Promise<{ tenant: string; api: Api; token: string }> {
  const tenant = freshTenant();
  const token = await tokenOf(tenant, ['operator']);
  return { tenant, api: apiOf(token), token };
}

interface Form {
  file?: string | Uint8Array<ArrayBuffer>;
  source?: object;
  options?: object;
  name?: string;
  headers?: Record<string, string>;
}

/** Sends a multipart body as a browser would, the file first or last. */
async function send(token: string, form: Form, fileFirst = false): Promise<Answer> {
  const body = new FormData();
  const addFile = (): void => {
    if (form.file !== undefined) body.append('file', new Blob([form.file]), form.name ?? 'tables.csv');
  };
  if (fileFirst) addFile();
  if (form.source !== undefined) body.append('source', JSON.stringify(form.source));
  if (form.options !== undefined) body.append('options', JSON.stringify(form.options));
  if (!fileFirst) addFile();
  const response = await fetch(`${stack.addresses.api}/v1/ingestions`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, ...form.headers },
    body,
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answer['body'] };
}

async function ended(api: Api, answer: Answer): Promise<Run> {
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  for (const deadline = Date.now() + minutes; ; await sleep(100)) {
    const run = (await api('GET', `/v1/ingestions/${String(answer.body['run_id'])}`)).body as unknown as Run;
    if (!['running', 'paused'].includes(run.state)) return run;
    if (Date.now() > deadline) throw new Error(`it did not end: ${JSON.stringify(run)}`);
  }
}

async function namesOf(api: Api): Promise<string[]> {
  const answer = await api('GET', '/v1/metadata?entity_type=table&limit=200');
  return (answer.body.items ?? []).map((item) => String(item['qualified_name'])).sort();
}

/** The answer to an upload that says that it is larger than any may be, before any of it is sent. */
async function tooLarge(token: string): Promise<number | undefined> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Length': String(limits.uploadBytes + 1) };
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${stack.addresses.api}/v1/uploads`, { method: 'POST', headers }, (response) => {
      resolve(response.statusCode);
      response.destroy();
    });
    request.on('error', reject);
    request.flushHeaders();
  });
}

/** Sends some chunks of an upload, and goes away. */
async function breakOff(token: string): Promise<void> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Length': '100000000' };
  const request = httpRequest(`${stack.addresses.api}/v1/uploads`, { method: 'POST', headers });
  request.on('error', () => undefined);
  await new Promise((resolve) => request.write(Buffer.alloc(5_000_000), resolve));
  await sleep(500);
  request.destroy();
}

/** Chunks of uploads that did not come to their end. */
async function chunksLeft(tenant: string): Promise<number> {
  const marks = await mongo.db.collection('objects.uploads').find({ tenant_id: tenant }).toArray();
  if (marks.length === 0) throw new Error('no upload has been noted');
  return mongo.db.collection('objects.chunks').countDocuments({ files_id: { $in: marks.map(({ _id }) => _id) } });
}

/** How many objects and chunks the tenant has. */
async function stored(tenant: string): Promise<number> {
  return mongo.db.collection('objects.files').countDocuments({ 'metadata.tenant_id': tenant });
}

const csv = 'name,qn,owner\norders,w.orders,ada\nclients,w.clients,bob\n';

describe('a file that is brought with the request', () => {
  it(
    'is read in each format, its fields before or behind it',
    async () => {
      const { api, token } = await operator();
      const rows = [
        { name: 'orders', qn: 'w.orders', owner: 'ada' },
        { name: 'clients', qn: 'w.clients', owner: 'bob' },
      ];
      const xml = `<t>${rows.map((row) => `<r><name>${row.name}</name><qn>${row.qn}</qn><owner>${row.owner}</owner></r>`).join('')}</t>`;
      const cells = [['name', 'qn', 'owner'], ...rows.map((row) => Object.values(row))];
      const sheet = cells
        .map(
          (row, r) =>
            `<row r="${r + 1}">${row.map((value, c) => `<c r="${'ABC'[c]}${r + 1}" t="inlineStr"><is><t>${value}</t></is></c>`).join('')}</row>`,
        )
        .join('');
      const files: [string, string | Buffer][] = [
        ['csv', csv],
        ['csv', gzipSync(csv)],
        ['ndjson', rows.map((row) => JSON.stringify(row)).join('\n')],
        ['json', JSON.stringify(rows)],
        ['xml', xml],
        ['xlsx', zipOf(workbookParts({ sheets: { One: sheet } }))],
      ];
      for (const [index, [format, content]] of files.entries()) {
        const source = { format, mapping: types, name: 'erp' };
        const file = new Uint8Array(Buffer.from(content));
        const run = await ended(api, await send(token, { file, source }, index % 2 === 0));
        const change = index === 0 ? { created: 2, unchanged: 0 } : { created: 0, unchanged: 2 };
        expect(run, format).toMatchObject({ state: 'completed', counts: { read: 2, rejected: 0, ...change } });
      }
      expect(await namesOf(api)).toEqual(['w.clients', 'w.orders']);
    },
    2 * minutes,
  );

  it(
    'is refused with a clear answer when something is wrong, and then nothing of it is kept',
    async () => {
      const { tenant, api, token } = await operator();
      const source = { format: 'csv', mapping: types };
      const refused: [Form, number, string][] = [
        [{ source }, 400, 'has no file'],
        [{ file: csv }, 400, '/source/format'],
        [{ file: csv, source: { ...source, url: 'https://example.org/a' } }, 400, 'the body brings one'],
        [{ file: csv, source: { ...source, sheet: 1 } }, 400, 'is for xlsx'],
        [{ file: csv, source, options: { other: 1 } }, 400, '/other'],
        [{ file: csv, source, options: { source: {} } }, 400, '/options/source'],
      ];
      for (const [form, status, words] of refused) {
        for (const fileFirst of [true, false]) {
          const answer = await send(token, form, fileFirst);
          expect({ status: answer.status, text: JSON.stringify(answer.body) }).toEqual({
            status,
            text: expect.stringContaining(words) as string,
          });
        }
      }
      const reader = await tokenOf(tenant, ['reader']);
      expect((await send(reader, { file: csv, source })).status).toBe(403);
      expect((await api('POST', '/v1/ingestions', { raw: csv, headers: { 'Content-Type': 'text/csv' } })).status).toBe(
        415,
      );
      const gone = { source: { type: 'file', object: '0'.repeat(24), format: 'csv' } };
      expect((await api('POST', '/v1/ingestions', { json: gone })).body).toMatchObject({
        code: 'invalid-input',
        field: '/source/object',
      });
      expect(await tooLarge(token)).toBe(413);
      await breakOff(token);
      await expect.poll(() => chunksLeft(tenant), { timeout: 10_000 }).toBe(0);
      expect(await stored(tenant)).toBe(0);
    },
    minutes,
  );

  it(
    'is taken once for its Idempotency-Key, as long as it is the same file',
    async () => {
      const { tenant, api, token } = await operator();
      const source = { format: 'csv', mapping: types };
      const headers = { 'Idempotency-Key': 'file-1' };
      const first = await send(token, { file: csv, source, headers });
      const again = await send(token, { file: csv, source, headers }, true);
      expect(again.body['run_id']).toBe(first.body['run_id']);
      expect(again.headers.get('idempotency-replayed')).toBe('true');
      const other = await send(token, { file: `${csv}x,w.x,eve\n`, source, headers });
      expect(other).toMatchObject({ status: 422, body: { code: 'idempotency-key-reused' } });
      expect(await ended(api, first)).toMatchObject({ state: 'completed', counts: { created: 2 } });
      // The upload, and the note that it can be read as it is stored.
      expect(await stored(tenant)).toBe(2);
    },
    minutes,
  );
});

describe('what a file says', () => {
  it(
    'names each row that is rejected, in a dead letter; the others are applied',
    async () => {
      const { tenant, api, token } = await operator();
      const file = `${csv}no name here\n,w.x,eve\n=1+1,w.formula,@SUM(A1)\n`;
      const run = await ended(api, await send(token, { file, source: { format: 'csv', mapping: types } }));
      expect(run).toMatchObject({ state: 'completed', counts: { read: 5, created: 3, rejected: 2 } });
      const letters = await mongo.db.collection('dead_letters').find({ tenant_id: tenant }).toArray();
      expect(letters.map((letter) => String(letter['detail'])).sort()).toEqual([
        'row 4: has 1 cells, and the header 3',
        'row 5: name is missing',
      ]);
    },
    minutes,
  );

  it(
    'deletes what a snapshot no longer lists, unless a row of it cannot be read; a merge deletes nothing',
    async () => {
      const { api, token } = await operator();
      const source = { format: 'csv', mapping: types, name: 'erp' };
      const start = async (file: string, mode: string): Promise<Run> =>
        ended(api, await send(token, { file, source: { ...source, mode } }));
      await start(csv, 'snapshot');
      const one = 'name,qn,owner\norders,w.orders,ada\n';
      expect(await start(one, 'merge')).toMatchObject({ state: 'completed', counts: { deleted: 0 } });

      const doubtful = await start(`${one},w.clients,bob\n`, 'snapshot');
      expect(doubtful).toMatchObject({ state: 'degraded', counts: { deleted: 0 } });
      expect(doubtful.reason).toContain('row 3: name is missing');
      expect(await start('name,qn,owner\n', 'snapshot')).toMatchObject({ state: 'degraded', counts: { deleted: 0 } });
      expect(await namesOf(api)).toEqual(['w.clients', 'w.orders']);

      expect(await start(one, 'snapshot')).toMatchObject({ state: 'completed', counts: { deleted: 1, unchanged: 1 } });
      expect(await namesOf(api)).toEqual(['w.orders']);
    },
    2 * minutes,
  );

  it.each<[string, object, Uint8Array | string, string]>([
    ['a table cut off in a cell', { format: 'csv' }, `${csv}"x`, 'The file ends in row 4'],
    [
      'a wrong encoding',
      { format: 'csv' },
      Buffer.from(`${csv}küche,w.k,eve\n`, 'latin1'),
      'The file is not UTF-8: line 4',
    ],
    ['billion laughs', { format: 'xml' }, '<!DOCTYPE a [<!ENTITY b "c">]><a><r><name>&b;</name></r></a>', 'DOCTYPE'],
    [
      'a zip bomb',
      { format: 'xlsx' },
      zipOf(workbookParts({ sheets: { One: `<row r="1"/>${' '.repeat(40_000_000)}` } })),
      'unpacks to more than',
    ],
  ])(
    'fails as a whole when it is hostile or broken: %s',
    async (_what, source, content, words) => {
      const { api, token } = await operator();
      const file = typeof content === 'string' ? content : new Uint8Array(content);
      const run = await ended(api, await send(token, { file, source: { ...source, mapping: types } }));
      expect(run).toMatchObject({ state: 'failed', pages: 0, counts: { read: 0, created: 0 } });
      expect(run.reason).toContain(words);
      expect(await namesOf(api)).toEqual([]);
    },
    minutes,
  );
});

describe('a dry run', () => {
  it(
    'says what would be created, changed, left, rejected and deleted, with rows and reasons, and writes nothing',
    async () => {
      const { tenant, api, token } = await operator();
      const source = { format: 'csv', mapping: types, name: 'erp', mode: 'snapshot' };
      await ended(api, await send(token, { file: `${csv}old,w.old,eve\n`, source }));
      const before = await mongo.db.collection('entity_versions').countDocuments({ tenant_id: tenant });

      const file = 'name,qn,owner\norders,w.orders,ada\nclients,w.clients,eve\nnew,w.new,ada\nnew,w.new,bob\n';
      const answer = await send(token, { file, source, options: { dry_run: true }, headers: { Prefer: 'wait=30' } });
      expect(answer).toMatchObject({
        status: 200,
        body: {
          state: 'completed',
          counts: { read: 5, created: 1, updated: 2, unchanged: 1, deleted: 1, rejected: 0 },
        },
      });
      const findings = answer.body['findings'] as Record<string, unknown>[];
      expect(findings.map(({ metadata_id: _id, entity_type: _type, ...rest }) => rest)).toEqual([
        { outcome: 'unchanged', place: 'row 2', qualified_name: 'w.orders' },
        { outcome: 'updated', place: 'row 3', qualified_name: 'w.clients', changed_fields: ['attributes.owner'] },
        { outcome: 'created', place: 'row 4', qualified_name: 'w.new' },
        { outcome: 'updated', place: 'row 5', qualified_name: 'w.new', changed_fields: ['attributes.owner'] },
        { outcome: 'deleted', qualified_name: 'w.old' },
      ]);
      expect((await api('GET', answer.headers.get('location') ?? '')).body).toEqual(answer.body);
      const stranger = await operator();
      expect((await stranger.api('GET', answer.headers.get('location') ?? '')).status).toBe(404);

      // A row that cannot be read leaves nothing to be said of deletions.
      const broken = await send(token, {
        file: `${file},w.bad,x\n`,
        source,
        options: { dry_run: true },
        headers: { Prefer: 'wait=30' },
      });
      expect(broken.body).toMatchObject({ state: 'completed', counts: { deleted: 0, rejected: 1 } });
      expect(JSON.stringify(broken.body)).toContain('row 6: name is missing');
      const hostile = await send(token, {
        file: 'a,a\n',
        source,
        options: { dry_run: true },
        headers: { Prefer: 'wait=30' },
      });
      expect(hostile.body).toMatchObject({
        state: 'failed',
        reason: expect.stringContaining('have the same name') as string,
      });

      expect(await mongo.db.collection('entity_versions').countDocuments({ tenant_id: tenant })).toBe(before);
      expect(await mongo.db.collection('dead_letters').countDocuments({ tenant_id: tenant })).toBe(0);
      expect(await namesOf(api)).toEqual(['w.clients', 'w.old', 'w.orders']);
    },
    2 * minutes,
  );

  it(
    'agrees with the run that follows, over pages that name the same entity',
    async () => {
      const { api, token } = await operator();
      const rows = Array.from({ length: 150 }, (_, index) => `n${index % 60},w.${index % 60},${index % 7}`);
      const source = { format: 'csv', mapping: types, page_size: 50 };
      const file = `name,qn,owner\n${rows.join('\n')}\n`;
      const preview = await send(token, { file, source, options: { dry_run: true }, headers: { Prefer: 'wait=30' } });
      const { created, updated, unchanged } = preview.body['counts'] as Record<string, number>;
      expect((created ?? 0) + (updated ?? 0) + (unchanged ?? 0)).toBe(150);
      expect(created).toBe(60);
      // Pages are applied a few at a time, so which of two rows of an entity comes last is not fixed; how many come to be is.
      const run = await ended(api, await send(token, { file, source }));
      expect(run.counts).toMatchObject({ read: 150, created: 60 });
    },
    2 * minutes,
  );
});

describe('a file at an address', () => {
  let server: Server;
  let address: string;
  const asked: string[] = [];
  beforeAll(async () => {
    server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`);
      if (request.url === '/moved') response.writeHead(302, { Location: '/tables.csv' }).end();
      else if (request.url === '/broken') {
        response.writeHead(200, { 'Content-Length': '100000' });
        response.write(csv);
        setTimeout(() => response.destroy(), 50);
      } else if (request.url?.startsWith('/tables.csv') === true) response.end(csv);
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.close();
  });

  const start = (api: Api, path: string) =>
    api('POST', '/v1/ingestions', {
      json: { source: { type: 'file', format: 'csv', url: `${address}${path}`, mapping: types } },
    });

  it(
    'is fetched once, with what the address says of user and query, which nobody is shown',
    async () => {
      const { api } = await operator();
      asked.length = 0;
      const url = `${address.replace('//', '//ada:geheim@')}/tables.csv?sig=geheim`;
      const answer = await api('POST', '/v1/ingestions', {
        json: { source: { type: 'file', format: 'csv', url, mapping: types } },
      });
      const run = await ended(api, answer);
      expect(run).toMatchObject({ state: 'completed', counts: { created: 2 } });
      expect(asked).toEqual([`GET /tables.csv?sig=geheim Basic ${Buffer.from('ada:geheim').toString('base64')}`]);
      expect(JSON.stringify(run)).not.toContain('geheim');
    },
    minutes,
  );

  it(
    'fails at once when it is elsewhere, or not there',
    async () => {
      const { api } = await operator();
      expect(await ended(api, await start(api, '/moved'))).toMatchObject({
        state: 'failed',
        reason: 'The server answers 302; redirects are not followed.',
      });
      expect(await ended(api, await start(api, '/nothing'))).toMatchObject({
        state: 'failed',
        reason: 'The server answers 404.',
      });
    },
    minutes,
  );
});
