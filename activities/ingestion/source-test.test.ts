import { ApplicationFailure } from '@temporalio/common';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { savedSourceContext } from '#domain/ingestion/saved-source.ts';
import type { SavedSourceDoc } from '#platform/mongo/sources.ts';
import { secretBox } from '#platform/secret-box.ts';
import { memoryObjects } from '#test/support/memory-objects.ts';
import { sourceTestActivities, type SourceTestDeps } from './source-test.ts';

const box = secretBox(new Uint8Array(32));
const nothing = (): never => {
  throw new Error('nothing is stored here');
};
const noObjects: SourceTestDeps['objects'] = {
  stat: nothing,
  open: nothing,
  put: nothing,
  find: nothing,
  remove: nothing,
};
const request = { tenantId: 'acme', savedSourceId: 's1' };

function checking(url: string, { context = savedSourceContext('acme', 's1') } = {}) {
  const sealed_source = box.seal(JSON.stringify({ type: 'postgres', url }), context);
  return sourceTestActivities({
    sources: { get: async () => ({ sealed_source }) as SavedSourceDoc },
    secretBox: box,
    objects: noObjects,
    allowPrivateSources: false,
    ownKafkaCluster: () => Promise.resolve(''),
  }).checkSource(request);
}

describe('a saved source is tried', () => {
  it.each(['127.0.0.1', '10.1.2.3', '169.254.169.254', '[::1]', '[::ffff:192.168.0.1]', 'localhost'])(
    'and refused at %s, though it was saved',
    async (host) => {
      expect(await checking(`postgres://ada:hunter2@${host}:5432/d`)).toMatchObject({
        ok: false,
        reason: expect.stringContaining('is not at a public address') as string,
      });
    },
  );

  it('and cannot be found, which is an answer and no failure', async () => {
    const answer = await checking('postgres://ada:hunter2@no-such-host.invalid/d');
    expect(answer).toMatchObject({ ok: false, reason: expect.stringContaining('does not resolve') as string });
    expect(JSON.stringify(answer)).not.toContain('hunter2');
  });

  it('but not with what was sealed for another tenant', async () => {
    const foreign = savedSourceContext('other', 's1');
    await expect(checking('postgres://ada:x@db.example.org/d', { context: foreign })).rejects.toThrow(Error);
  });

  it('and an outage of MongoDB is a failure that is tried again', async () => {
    const away = Object.assign(new Error('gone'), { name: 'MongoNetworkError' });
    const { checkSource } = sourceTestActivities({
      sources: { get: () => Promise.reject(away) },
      secretBox: box,
      objects: noObjects,
      allowPrivateSources: false,
      ownKafkaCluster: () => Promise.resolve(''),
    });
    const failure = await checkSource(request).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({ type: 'unavailable', nonRetryable: false });
  });
});

describe('a file at an address is tried', () => {
  async function trying(endless: boolean) {
    let isCutOff = false;
    const server = createServer((_request, response) => {
      response.on('close', () => (isCutOff = true));
      if (endless) response.write('entity_type,');
      else response.end('entity_type,qualified_name\ntable,w.t\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.csv`;
    const { objects, kept } = memoryObjects();
    const remove = async (_tenantId: string, id: string): Promise<boolean> =>
      kept.splice(0, kept.length, ...kept.filter((one) => one.about.objectId !== id)).length > 0;
    const sealed_source = box.seal(
      JSON.stringify({ type: 'file', format: 'csv', url }),
      savedSourceContext('acme', 's1'),
    );
    const { checkSource } = sourceTestActivities({
      sources: { get: async () => ({ sealed_source }) as SavedSourceDoc },
      secretBox: box,
      objects: { ...objects, remove },
      allowPrivateSources: true,
      ownKafkaCluster: () => Promise.resolve(''),
    });
    try {
      const answer = await checkSource(request);
      await new Promise((resolve) => setTimeout(resolve, 200));
      return { answer, isCutOff, fetched: kept.filter(({ key }) => key?.startsWith('fetched:')).length };
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  it('and nothing of it is kept as fetched', async () => {
    expect(await trying(false)).toMatchObject({ answer: { ok: true }, fetched: 0 });
  });

  it('and not read on when the time of the test is over', async () => {
    expect(await trying(true)).toMatchObject({ answer: { ok: false }, isCutOff: true, fetched: 0 });
  }, 15_000);
});
