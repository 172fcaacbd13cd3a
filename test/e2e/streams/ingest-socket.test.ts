import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadConfig } from '#platform/config.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { collections } from '#platform/mongo/collections.ts';
import { apiOf, freshTenant, record, stack, tokenOf, upgradeStatus, type Api } from '../api/client.ts';
import { IngestClient } from './ingest-client.ts';

const tenant = freshTenant();
let token: string;
let api: Api;
let mongo: Mongo;

beforeAll(async () => {
  token = await tokenOf(tenant);
  api = apiOf(token);
  mongo = await connectMongo(loadConfig(process.env).mongo);
});
afterAll(() => mongo.client.close());

const newSession = (): string => `s-${randomBytes(6).toString('hex')}`;
const valued = (name: string, n: number): object => record(name, { attributes: { name, n } });

async function fateOf(recordId: string | undefined): Promise<unknown> {
  return vi.waitFor(
    async () => {
      const { status, body } = await api('GET', `/v1/records/${recordId}`);
      if (status !== 200 || body['state'] === 'pending') throw new Error('not yet');
      return body['state'];
    },
    { timeout: 30_000, interval: 50 },
  );
}

/** The values that an entity has had, the first one first. */
async function valuesOf(tenantId: string, name: string): Promise<unknown[]> {
  const versions = await collections(mongo.db)
    .entityVersions.find({ tenant_id: tenantId, qualified_name: name })
    .sort({ version: 1 })
    .toArray();
  return versions.map(({ attributes }) => attributes['n']);
}

describe('/ws/ingest', () => {
  it('says hello, acknowledges each message in order, and what it acknowledged is applied', async () => {
    const client = await new IngestClient(token, 'mine').hello();
    expect(client.answers[0]).toMatchObject({
      type: 'hello',
      session: 'mine',
      window: { messages: 1_000, bytes: 8 * 1024 * 1024 },
      max_message_bytes: 4 * 1024 * 1024,
    });
    client.send({ id: 'one', record: record('one') });
    client.send({ id: 'two', records: [record('two'), record('three')] });
    await client.until(() => client.acks.length === 2);
    expect(client.acks.map(({ id, record_ids }) => [id, record_ids.length])).toEqual([
      ['one', 1],
      ['two', 2],
    ]);
    for (const recordId of client.acks.flatMap(({ record_ids }) => record_ids))
      expect(await fateOf(recordId)).toBe('applied');
    const [metadataId] = client.acks[0]?.metadata_ids ?? [];
    expect((await api('GET', `/metadata/${metadataId}`)).body).toMatchObject({ qualified_name: 'one' });
    client.close();
  });

  it('answers each bad message with what is wrong, takes nothing of it, and goes on', async () => {
    const client = await new IngestClient(token).hello();
    client.send('{"id":');
    client.send({ id: 'no record' });
    client.send({ id: 'half', records: [record('half-good'), { entity_type: 'table', attributes: {} }] });
    client.send({ id: 'theirs', record: record('x', { tenant_id: 'other' }) });
    client.send({ id: 'good', record: record('after-bad') });
    await client.until(({ length }) => length === 6);
    expect(client.answers.slice(1)).toMatchObject([
      { type: 'error', id: null, problem: { code: 'malformed-json' } },
      { type: 'error', id: 'no record', problem: { code: 'invalid-input' } },
      { type: 'error', id: 'half', problem: { code: 'invalid-input', field: '/records/1/attributes/name' } },
      { type: 'error', id: 'theirs', problem: { code: 'tenant-mismatch' } },
      { type: 'ack', id: 'good' },
    ]);
    expect(await fateOf(client.acks[0]?.record_ids[0])).toBe('applied');
    expect((await api('GET', '/v1/metadata?entity_type=table&qualified_name=half-good')).body.items).toEqual([]);
    client.close();
  });

  it('takes a message once within a session, and another record under the same id for what it is', async () => {
    const session = newSession();
    const first = await new IngestClient(token, session).hello();
    first.send({ id: '1', record: valued('again', 1) });
    await first.until(() => first.acks.length === 1);
    first.close();
    const second = await new IngestClient(token, session).hello();
    second.send({ id: '1', record: { attributes: { n: 1, name: 'again' }, entity_type: 'table' } });
    second.send({ id: '1', record: valued('again', 2) });
    await second.until(() => second.acks.length === 2);
    expect(second.acks[0]).toEqual(first.acks[0]);
    expect(second.acks[1]?.record_ids).not.toEqual(first.acks[0]?.record_ids);
    await fateOf(second.acks[1]?.record_ids[0]);
    expect(await valuesOf(tenant, 'again')).toEqual([1, 2]);
    const other = await new IngestClient(token, newSession()).hello();
    other.send({ id: '1', record: valued('again', 1) });
    await other.until(() => other.acks.length === 1);
    expect(other.acks[0]?.record_ids).not.toEqual(first.acks[0]?.record_ids);
    second.close();
    other.close();
  });

  it('lets in only editors, ends with the token, and refuses what is binary or too large', async () => {
    const bearer = (value: string) => ({ Authorization: `Bearer ${value}` });
    expect(await upgradeStatus('/ws/ingest')).toBe(401);
    expect(await upgradeStatus('/ws/ingest', bearer(await tokenOf(tenant, ['reader'])))).toBe(403);
    expect(await upgradeStatus('/ws/ingest?sessions=1', bearer(token))).toBe(400);
    const short = await new IngestClient(await tokenOf(tenant, ['editor'], 2)).hello();
    const binary = await new IngestClient(token).hello();
    binary.socket.send(Buffer.from('{}'));
    const large = await new IngestClient(token).hello();
    large.send({ id: '1', record: record('x', { attributes: { name: 'x', text: 'x'.repeat(4 * 1024 * 1024) } }) });
    expect((await binary.closed).code).toBe(1003);
    expect((await large.closed).code).toBe(1009);
    expect((await short.closed).code).toBe(4401);
  });

  it('limits the sockets of a tenant', async () => {
    const crowded = freshTenant();
    const own = await tokenOf(crowded);
    const clients = Array.from({ length: 50 }, () => new IngestClient(own));
    await Promise.all(clients.map((client) => client.hello()));
    expect(await upgradeStatus('/ws/ingest', { Authorization: `Bearer ${own}` })).toBe(429);
    for (const client of clients) client.close();
    await Promise.all(clients.map(({ closed }) => closed));
    const back = await vi.waitFor(async () => new IngestClient(own).hello());
    back.close();
  });

  it('reads a client no further that is a window ahead, and takes everything when Kafka is back', async () => {
    const client = await new IngestClient(token).hello();
    const { pid } = await stack.statusOf('kafka');
    const text = 'x'.repeat(8 * 1024);
    const count = 4_000;
    process.kill(pid ?? 0, 'SIGSTOP');
    try {
      for (let n = 0; n < count; n += 1) {
        client.send({ id: String(n), record: record(`slow-${n}`, { attributes: { name: `slow-${n}`, text } }) });
      }
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      expect(client.acks).toHaveLength(0);
      // 32 MB were sent; the API has read a window of them, and the rest is in the buffers of the two kernels or still here.
      expect(client.socket.bufferedAmount).toBeGreaterThan(8 * 1024 * 1024);
    } finally {
      process.kill(pid ?? 0, 'SIGCONT');
    }
    await client.until(() => client.acks.length === count, 60_000);
    expect(client.acks.map(({ id }) => Number(id))).toEqual(Array.from({ length: count }, (_, n) => n));
    client.close();
  });

  it('applies everything exactly once and in order, though the API was killed in the middle', async () => {
    const [own, session, names, rounds] = [freshTenant(), newSession(), 10, 300];
    const ownToken = await tokenOf(own);
    const messages = Array.from({ length: names * rounds }, (_, n) => ({
      id: String(n),
      record: valued(`e${n % names}`, Math.floor(n / names)),
    }));
    const first = await new IngestClient(ownToken, session).hello();
    for (const message of messages) first.send(message);
    await first.until(() => first.acks.length > 0);
    await stack.kill('api');
    await first.closed;
    const answered = new Set(first.acks.map(({ id }) => id));
    const open = messages.filter(({ id }) => !answered.has(id));
    expect(open.length).toBeGreaterThan(0);
    await stack.start('api');
    const second = await new IngestClient(ownToken, session).hello();
    for (const message of open) second.send(message);
    await second.until(() => second.acks.length === open.length);
    const last = second.acks.at(-1)?.record_ids[0] ?? '';
    const { rawRecords } = collections(mongo.db);
    await vi.waitFor(
      async () => expect(await rawRecords.countDocuments({ tenant_id: own })).toBe(messages.length),
      60_000,
    );
    await vi.waitFor(
      async () => expect((await apiOf(ownToken)('GET', `/v1/records/${last}`)).body['state']).toBe('applied'),
      60_000,
    );
    const expected = Array.from({ length: rounds }, (_, n) => n);
    await vi.waitFor(async () => {
      for (let n = 0; n < names; n += 1) expect(await valuesOf(own, `e${n}`)).toEqual(expected);
    }, 60_000);
    second.close();
  });

  it('tells its clients when it goes down, and owes them nothing then', async () => {
    const client = await new IngestClient(token).hello();
    client.send({ id: 'last', record: record('last') });
    await client.until(() => client.acks.length === 1);
    await stack.kill('api', 'SIGTERM');
    expect((await client.closed).code).toBe(1001);
    await stack.start('api');
  });
});
