import { beforeAll, describe, expect, it } from 'vitest';
import { decodePositions, encodePositions } from '#api/realtime/position.ts';
import { apiOf, freshTenant, ingest, Listener, record, tokenOf, upgradeStatus, type Api } from './client.ts';

const tenant = freshTenant();
let token: string;
let api: Api;

beforeAll(async () => {
  token = await tokenOf(tenant);
  api = apiOf(token);
});

const listen = (query: Record<string, string> = {}): Listener => new Listener(query, { token });
const hello = async (listener: Listener): Promise<Listener> => {
  await listener.until(([first]) => first?.type === 'hello');
  return listener;
};

describe('/ws/notifications', () => {
  it('tells of each change, as documented', async () => {
    const listener = await hello(listen());
    const id = await ingest(api, 'seen');
    await ingest(api, 'seen', { attributes: { name: 'seen', n: 2 } });
    await api('DELETE', `/metadata/${id}`);
    await listener.until(({ length }) => length >= 4);
    expect(listener.messages.slice(1)).toEqual(
      ['created', 'updated', 'deleted'].map((change, index) => ({
        type: 'update',
        id: expect.any(String) as string,
        metadata_id: id,
        entity_type: 'table',
        change,
        timestamp: expect.stringMatching(/^\d{4}-.*Z$/) as string,
        version: index + 1,
      })),
    );
    listener.close();
  });

  it('tells whom a change upstream concerns', async () => {
    await ingest(api, 'up');
    const down = await ingest(api, 'down', { upstream: [{ entity_type: 'table', qualified_name: 'up' }] });
    const listener = await hello(listen({ types: 'impact' }));
    const up = await ingest(api, 'up', { attributes: { name: 'up', n: 2 } });
    await listener.until((messages) => messages.some(({ type }) => type === 'impact'));
    expect(listener.messages.at(-1)).toMatchObject({
      type: 'impact',
      metadata_id: down,
      causes: [{ metadata_id: up, distance: 1 }],
    });
    listener.close();
  });

  it('tells only what was asked for, and nothing of another tenant', async () => {
    const id = await ingest(api, 'chosen');
    const other = freshTenant();
    const [chosen, views, foreign] = await Promise.all([
      hello(listen({ metadata_id: id })),
      hello(listen({ entity_type: 'view,dashboard', types: 'update' })),
      hello(new Listener({}, { token: await tokenOf(other, ['reader']) })),
    ]);
    await ingest(api, 'not chosen');
    await ingest(api, 'a view', { entity_type: 'view' });
    await ingest(api, 'chosen', { attributes: { name: 'chosen', n: 2 } });
    await ingest(apiOf(await tokenOf(other)), 'theirs');
    await Promise.all([
      chosen.until(({ length }) => length >= 2),
      views.until(({ length }) => length >= 2),
      foreign.until(({ length }) => length >= 2),
    ]);
    expect(chosen.changes).toEqual([`${id}:2`]);
    expect(views.messages.slice(1)).toMatchObject([{ entity_type: 'view' }]);
    expect(foreign.messages.slice(1)).toMatchObject([{ change: 'created', version: 1 }]);
    for (const listener of [chosen, views, foreign]) listener.close();
  });

  it('goes on after the last id seen, from any message, while changes keep coming', async () => {
    const steady = await hello(listen());
    const rounds = 12;
    let cut = await hello(listen());
    const received: string[] = [];
    let writing = true;
    const writes = (async () => {
      for (let batch = 0; writing; batch += 1) {
        const json = Array.from({ length: 200 }, (_, index) =>
          record(`flow-${index}`, { attributes: { name: `flow-${index}`, batch } }),
        );
        const answer = await api('POST', '/ingest-metadata', { json });
        if (answer.status !== 202) throw new Error(`not accepted: ${answer.status}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    })();
    for (let round = 0; round < rounds; round += 1) {
      const target = 100 + round * 25;
      await cut.until(() => cut.changes.length >= target, 60_000);
      cut.socket.terminate();
      await cut.closed;
      received.push(...cut.changes);
      const lastId = cut.lastId;
      await new Promise((resolve) => setTimeout(resolve, round % 3 === 0 ? 600 : 0));
      cut = await hello(listen({ last_id: lastId }));
    }
    writing = false;
    await writes;
    let seen = -1;
    await steady
      .until(() => {
        const settled = steady.changes.length === seen;
        seen = steady.changes.length;
        return settled && received.length + cut.changes.length >= seen;
      }, 60_000)
      .catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    received.push(...cut.changes);
    expect(received.length).toBeGreaterThan(1_500);
    expect(new Set(received).size).toBe(received.length);
    expect(received.toSorted()).toEqual(steady.changes.toSorted());
    expect(cut.messages.some(({ type }) => type === 'gap')).toBe(false);
    const versions = new Map<string, number>();
    for (const change of received) {
      const [id = '', version] = change.split(':');
      expect(Number(version)).toBe((versions.get(id) ?? 0) + 1);
      versions.set(id, Number(version));
    }
    steady.close();
    cut.close();
  }, 180_000);

  it('says gap for what was never there, and goes on live', async () => {
    const before = await hello(listen());
    const positions = decodePositions(before.lastId);
    if (positions === undefined) throw new Error('no id');
    positions['lily.changes'] = positions['lily.changes'].map((offset) => offset + 1_000_000);
    const listener = await hello(listen({ last_id: encodePositions(positions) }));
    await listener.until((messages) => messages[1]?.type === 'gap');
    const id = await ingest(api, 'after the gap');
    await listener.until(() => listener.changes.includes(`${id}:1`));
    expect(listener.messages.map(({ type }) => type).slice(0, 2)).toEqual(['hello', 'gap']);
    for (const each of [before, listener]) each.close();
  });
});

describe('signing in to /ws/notifications', () => {
  it('takes the token by header, by subprotocol, or in the query', async () => {
    const byProtocol = await hello(new Listener({}, { protocols: ['bearer', token] }));
    expect(byProtocol.socket.protocol).toBe('bearer');
    const byQuery = await hello(new Listener({ access_token: token }));
    for (const listener of [byProtocol, byQuery]) listener.close();
  });

  it.each([
    ['/ws/notifications', {}, 401],
    ['/ws/notifications', { Authorization: 'Bearer nonsense' }, 401],
    ['/ws/notifications?access_token=nonsense', {}, 401],
    ['/ws/notification', {}, 404],
    ['/ws/notifications?since=1', {}, 400],
    ['/ws/notifications?types=update,delete', {}, 400],
    ['/ws/notifications?types=update&types=impact', {}, 400],
  ])('refuses %s with %j as %d', async (path, headers, status) => {
    expect(await upgradeStatus(path, headers)).toBe(status);
  });

  it('closes with 4400 for an id that is none', async () => {
    for (const id of ['garbage', '', 'AAAA', '0']) {
      expect(await listen({ last_id: id }).closed).toMatchObject({
        code: 4400,
        reason: expect.stringContaining('last_id') as string,
      });
    }
  });

  it('closes with 4401 when the token ends', async () => {
    const listener = new Listener({}, { token: await tokenOf(tenant, ['reader'], 2) });
    await hello(listener);
    expect(await listener.closed).toMatchObject({ code: 4401 });
  }, 15_000);

  it('closes a client that sends too much', async () => {
    const listener = await hello(listen());
    listener.socket.send('x'.repeat(10_000));
    expect(await listener.closed).toMatchObject({ code: 1009 });
  });
});
