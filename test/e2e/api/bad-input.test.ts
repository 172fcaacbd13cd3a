import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '#platform/config.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { collections } from '#platform/mongo/collections.ts';
import { apiOf, freshTenant, ingest, record, stack, tokenOf, type Api, type RequestPlan } from './client.ts';

const tenant = freshTenant();
let api: Api;
let reader: Api;
let token: string;
let id: string;
let mongo: Mongo;

beforeAll(async () => {
  token = await tokenOf(tenant);
  api = apiOf(token);
  reader = apiOf(await tokenOf(tenant, ['reader']));
  id = await ingest(api, 'untouched');
  mongo = await connectMongo(loadConfig(stack.env).mongo);
});

afterAll(() => mongo.client.close());

const attributes = (fields: string): string => `{"entity_type":"table","attributes":{"name":"x",${fields}}}`;
const bodies: [what: string, body: string | Uint8Array, status: number, code: string, words: RegExp][] = [
  ['malformed JSON', '{"entity_type": "table", attributes}', 400, 'malformed-json', /position 25 \(line 1 column 26\)/],
  ['an empty body', '', 400, 'malformed-json', /position 0/],
  ['a truncated body', '{"entity_type":"table","attri', 400, 'malformed-json', /position/],
  ['a byte order mark', `\uFEFF${JSON.stringify(record('x'))}`, 400, 'malformed-json', /byte order mark/],
  [
    'invalid UTF-8',
    Uint8Array.from([...Buffer.from('{"entity_type":"'), 0xff, 0xfe, 0x22, 0x7d]),
    400,
    'malformed-json',
    /UTF-8/,
  ],
  ['a text', '"table"', 400, 'invalid-input', /object/],
  ['null', 'null', 400, 'invalid-input', /object/],
  ['wrong types', '{"entity_type":7,"attributes":{"name":[]}}', 400, 'invalid-input', /entity_type/],
  ['missing fields', '{}', 400, 'invalid-input', /required/],
  ['an unknown field', JSON.stringify(record('x', { atributes: 1 })), 400, 'invalid-input', /atributes/],
  ['a bad type', JSON.stringify(record('x', { entity_type: 'a b' })), 400, 'invalid-input', /must start with a letter/],
  ['an empty name', '{"entity_type":"table","attributes":{"name":""}}', 400, 'invalid-input', /name/],
  [
    '10,000 tags',
    JSON.stringify(record('x', { attributes: { name: 'x', tags: Array(10_000).fill('tag') } })),
    400,
    'invalid-input',
    /1000 tags/,
  ],
  ['NUL in a name', '{"entity_type":"table","attributes":{"name":"a\\u0000"}}', 400, 'invalid-input', /NUL/],
  ['NUL in a key', attributes('"a\\u0000b":1'), 400, 'invalid-input', /NUL/],
  ['NUL in a qualified name', JSON.stringify(record('x', { qualified_name: 'a\u0000b' })), 400, 'invalid-input', /NUL/],
  ['33 levels', attributes(`"deep":${'['.repeat(33)}${']'.repeat(33)}`), 400, 'invalid-input', /32 levels/],
  ['100,000 levels', attributes(`"deep":${'['.repeat(100_000)}${']'.repeat(100_000)}`), 400, 'invalid-input', /deeper/],
  [
    '100,000 levels of objects in statistics',
    `{"entity_type":"table","attributes":{"name":"x"},"statistics":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`,
    400,
    'invalid-input',
    /deeper/,
  ],
  [
    '50,000 keys',
    attributes(Array.from({ length: 50_000 }, (_, index) => `"k${index}":1`).join(',')),
    400,
    'invalid-input',
    /20000/,
  ],
  ['the key __proto__', attributes('"__proto__":{"admin":true}'), 400, 'invalid-input', /__proto__/],
  [
    'the key __proto__ beside attributes',
    '{"entity_type":"table","__proto__":{},"attributes":{"name":"x"}}',
    400,
    'invalid-input',
    /__proto__/,
  ],
  ['a number too large', attributes('"n":1e999'), 400, 'invalid-input', /too large/],
  ['a whole number beyond 2^53', attributes('"n":12345678901234567890'), 400, 'invalid-input', /send it as a string/],
  ['half a surrogate pair', attributes('"s":"\\ud800"'), 400, 'invalid-input', /surrogate/],
  [
    'a reference without a name',
    JSON.stringify(record('x', { upstream: [{ entity_type: 'table' }] })),
    400,
    'invalid-input',
    /metadata_id/,
  ],
  [
    'a reference that is no id',
    JSON.stringify(record('x', { parent: { metadata_id: 'x' } })),
    400,
    'invalid-input',
    /parent/,
  ],
  ['another tenant', JSON.stringify(record('x', { tenant_id: 'globex' })), 403, 'tenant-mismatch', /tenant_id/],
  ['an array with no record', '[]', 400, 'invalid-input', /1 to 1000/],
  ['a record of 600 kB', attributes(`"blob":"${'y'.repeat(600_000)}"`), 413, 'body-too-large', /524288/],
  ['a record of 2 MB', attributes(`"blob":"${'y'.repeat(2_000_000)}"`), 413, 'body-too-large', /524288/],
  ['a body of 17 MB', attributes(`"blob":"${'y'.repeat(17_000_000)}"`), 413, 'body-too-large', /16777216/],
];

describe('a body that is wrong is refused, and says what to mend', () => {
  it.each(bodies)('%s', async (_what, raw, status, code, words) => {
    for (const [method, path] of [
      ['POST', '/ingest-metadata'],
      ['PUT', `/metadata/${id}`],
    ] as const) {
      if (method === 'PUT' && (raw === '[]' || _what === 'missing fields' || _what === 'a bad type')) continue;
      const answer = await api(method, path, { raw });
      expect(answer.status, JSON.stringify(answer.body)).toBe(status);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      expect(answer.body).toMatchObject({ status, code, instance: path });
      if (method === 'POST') expect(JSON.stringify(answer.body)).toMatch(words);
    }
  });

  it('lists every fault', async () => {
    const { body } = await api('POST', '/ingest-metadata', {
      json: { entity_type: 1, attributes: { tags: 'x' }, more: 1 },
    });
    const fields = (body['errors'] as { field: string }[]).map(({ field }) => field);
    expect(fields.toSorted()).toEqual(['/attributes/name', '/attributes/tags', '/entity_type', '/more']);
  });

  it('an array of wrong records has a result for each, and the status that they share', async () => {
    const answer = await api('POST', '/ingest-metadata', { json: [record('x', { tenant_id: 'globex' }), {}] });
    expect(answer).toMatchObject({
      status: 400,
      body: { results: [{ error: { status: 403 } }, { error: { status: 400 } }] },
    });
  });
});

describe('a request that is wrong is refused, and says what to mend', () => {
  const json = record('x');
  const requests: [what: string, method: string, path: string, plan: RequestPlan, status: number, words: RegExp][] = [
    [
      'no content type',
      'POST',
      '/ingest-metadata',
      { raw: '{}', headers: { 'Content-Type': '' } },
      415,
      /application\/json/,
    ],
    [
      'another content type',
      'POST',
      '/ingest-metadata',
      { json, headers: { 'Content-Type': 'text/plain' } },
      415,
      /text\/plain/,
    ],
    [
      'another character set',
      'POST',
      '/ingest-metadata',
      { json, headers: { 'Content-Type': 'application/json; charset=utf-16' } },
      415,
      /UTF-8/,
    ],
    [
      'an unknown content encoding',
      'POST',
      '/ingest-metadata',
      { json, headers: { 'Content-Encoding': 'zip' } },
      415,
      /encoding/,
    ],
    ['a broken gzip body', 'POST', '/ingest-metadata', { json, headers: { 'Content-Encoding': 'gzip' } }, 400, /./],
    ['a wrong method', 'PATCH', '/ingest-metadata', {}, 405, /POST/],
    ['a wrong method on an entity', 'POST', '/metadata/x', { json }, 405, /PUT/],
    ['an unknown path', 'GET', '/metadat', {}, 404, /openapi/],
    ['a path in capitals', 'GET', '/METADATA/x', {}, 404, /./],
    ['an unknown id', 'GET', '/metadata/00000000-0000-8000-8000-000000000000', {}, 404, /no entity/],
    ['an id that is none', 'GET', '/metadata/..%2F..%2Fetc', {}, 404, /no entity/],
    ['an id with NUL', 'GET', '/metadata/%00', {}, 404, /no entity/],
    ['a path that cannot be decoded', 'GET', '/metadata/%E0%A4%A', {}, 400, /./],
    [
      'PUT of an unknown id',
      'PUT',
      '/metadata/00000000-0000-8000-8000-000000000000',
      { json: { attributes: { name: 'x' } } },
      404,
      /no entity/,
    ],
    ['DELETE of an unknown id', 'DELETE', '/metadata/00000000-0000-8000-8000-000000000000', {}, 404, /no entity/],
    ['an unknown record', 'GET', '/v1/records/00000000-0000-7000-8000-000000000000', {}, 404, /no such record/],
    ['an unknown query parameter', 'GET', '/metadata/x?asof=1', {}, 400, /asof/],
    [
      'a doubled query parameter',
      'GET',
      '/metadata/x?as_of=2026-01-01T00:00:00Z&as_of=2026-01-01T00:00:00Z',
      {},
      400,
      /more than once/,
    ],
    ['__proto__ in the query', 'GET', '/metadata/x?__proto__=1', {}, 400, /__proto__/],
    ['a query on a write', 'POST', '/ingest-metadata?dry=1', { json }, 400, /dry/],
    ['a time that is none', 'GET', '/metadata/x?as_of=yesterday', {}, 400, /RFC 3339/],
    ['a time with + unescaped', 'GET', '/metadata/x?as_of=2026-01-01T00:00:00+01:00', {}, 400, /%2B/],
    ['depth 0', 'GET', '/v1/metadata/x/lineage?depth=0', {}, 400, /1 to 20/],
    ['depth 21', 'GET', '/v1/metadata/x/lineage?depth=21', {}, 400, /1 to 20/],
    ['a direction that is none', 'GET', '/v1/metadata/x/lineage?direction=up', {}, 400, /upstream or downstream/],
    ['a limit beyond', 'GET', '/v1/metadata/x/versions?limit=201', {}, 400, /1 to 200/],
    ['a cursor that is none', 'GET', '/v1/metadata/x/versions?cursor=zzz', {}, 400, /next_cursor/],
    ['an If-Match without quotes', 'DELETE', '/metadata/ID', { headers: { 'If-Match': '1' } }, 400, /quotes/],
    [
      'an Idempotency-Key too long',
      'POST',
      '/ingest-metadata',
      { json, headers: { 'Idempotency-Key': 'k'.repeat(256) } },
      400,
      /255/,
    ],
  ];

  it.each(requests)('%s', async (_what, method, path, plan, status, words) => {
    const answer = await api(method, path.replace('ID', id), plan);
    expect(answer.status, JSON.stringify(answer.body)).toBe(status);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.body['trace_id']).toMatch(/^[0-9a-f]{32}$/);
    expect(JSON.stringify(answer.body)).toMatch(words);
    if (status === 405) expect(answer.headers.get('allow')).toMatch(words);
  });

  it('what is not HTTP', async () => {
    const { hostname, port } = new URL(stack.addresses.api);
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => socket.write('NONSENSE\r\n\r\n'));
      let text = '';
      socket
        .on('data', (data) => (text += data.toString()))
        .on('end', () => resolve(text))
        .on('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\nContent-Type: application\/problem\+json/);
  });
});

describe('a token that is wrong is refused', () => {
  const tokens: [string, () => Promise<string | undefined> | string | undefined, RegExp][] = [
    ['none', () => undefined, /Bearer <token>/],
    ['garbage', () => 'garbage', /not a signed JSON Web Token/],
    ['alg none', () => `${encode({ alg: 'none' })}.${token.split('.')[1]}.`, /must be signed with/],
    ['HS256', () => `${encode({ alg: 'HS256' })}.${token.split('.')[1]}.${token.split('.')[2]}`, /must be signed with/],
    ['another tenant put in', () => forged({ tenant: 'globex' }), /signature is wrong/],
    [
      'expired',
      async () => {
        const short = await tokenOf(tenant, ['editor'], 1);
        await new Promise((resolve) => setTimeout(resolve, 7_000));
        return short;
      },
      /expired/,
    ],
  ];

  it.each(tokens)(
    '%s',
    async (_what, make, words) => {
      const answer = await apiOf(await make())('GET', `/metadata/${id}`);
      expect(answer).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
      expect(answer.body['detail']).toMatch(words);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer realm="lily"/);
    },
    20_000,
  );

  it('a reader may not write', async () => {
    for (const [method, path] of [
      ['POST', '/ingest-metadata'],
      ['PUT', `/metadata/${id}`],
      ['DELETE', `/metadata/${id}`],
    ] as const) {
      expect(await reader(method, path, method === 'DELETE' ? {} : { json: record('x') })).toMatchObject({
        status: 403,
        body: { code: 'forbidden' },
      });
    }
    expect((await reader('GET', `/metadata/${id}`)).status).toBe(200);
  });

  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const forged = (change: object): string => {
    const [head, claims = '', signature] = token.split('.');
    return `${head}.${encode({ ...(JSON.parse(Buffer.from(claims, 'base64url').toString()) as object), ...change })}.${signature}`;
  };
});

it('of all this, nothing has left a trace', async () => {
  const all = collections(mongo.db);
  expect(await all.rawRecords.countDocuments({ tenant_id: tenant })).toBe(1);
  expect(await all.deadLetters.countDocuments({ tenant_id: tenant })).toBe(0);
  expect(await all.entities.find({ tenant_id: tenant }).project({ _id: 1, version: 1 }).toArray()).toEqual([
    { _id: id, version: 1 },
  ]);
});
