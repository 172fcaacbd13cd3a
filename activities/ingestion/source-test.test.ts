import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { savedSourceContext } from '#domain/ingestion/saved-source.ts';
import type { SavedSourceDoc } from '#platform/mongo/sources.ts';
import { secretBox } from '#platform/secret-box.ts';
import type { SourceContext } from './source.ts';
import { sourceTestActivities } from './source-test.ts';

const box = secretBox(new Uint8Array(32));
const nothing = (): never => {
  throw new Error('nothing is stored here');
};
const noObjects: SourceContext['objects'] = { stat: nothing, open: nothing, put: nothing, find: nothing };
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
