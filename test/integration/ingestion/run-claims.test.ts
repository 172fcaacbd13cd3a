import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { firstPosition, type RunReport } from '#domain/ingestion/run.ts';
import { noCounts } from '#domain/transformation/batch.ts';
import { loadConfig } from '#platform/config.ts';
import { newRecordId } from '#platform/digest.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { ensureRunIndexes, runs, type NewRun, type RunAttempt, type Runs } from '#platform/mongo/runs.ts';

let mongo: Mongo;
let store: Runs;
beforeAll(async () => {
  mongo = await connectMongo(loadConfig(process.env).mongo);
  await ensureRunIndexes(mongo.db);
  store = runs(mongo.db);
});
afterAll(() => mongo.client.close());

function newRun(tenant_id: string, source_id: string, change: Partial<NewRun> = {}): NewRun {
  const _id = newRecordId();
  const source = { type: 'postgres' };
  return { _id, tenant_id, source_id, source, sealed_source: '', workflow_id: `w:${_id}`, actor: 'ada', ...change };
}

function ending(state: 'failed' | 'completed', revision: number): RunReport {
  return { progress: { state, counts: noCounts, pages: 3, activity: 'Ended' }, revision, position: firstPosition };
}

const attempt = (number: number): RunAttempt => {
  return { number, workflow_id: `w${number}`, actor: 'ada', started_at: new Date(), read_before: 0 };
};

describe('runs that come at once', () => {
  it('never are more than their tenant may have, and never fewer', async () => {
    const tenant = randomUUID();
    const wanted = Array.from({ length: 20 }, (_, index) => newRun(tenant, `s${index}`));
    const claims = await Promise.all(wanted.map((run) => store.claim(run, 3)));
    expect(claims.filter(({ outcome }) => outcome === 'claimed')).toHaveLength(3);
    expect(claims.filter(({ outcome }) => outcome === 'full')).toHaveLength(17);
    const active = await store.list(tenant, { limit: 50 });
    expect(active.map(({ seat }) => seat).sort()).toEqual([1, 2, 3]);

    // Who was there before is found again, though there is no room; another tenant has room of its own.
    const first = claims.flatMap((claim) => (claim.outcome === 'claimed' ? [claim.run] : []))[0];
    const same = wanted.find(({ _id }) => _id === first?._id) as NewRun;
    expect(await store.claim(same, 3)).toMatchObject({ outcome: 'claimed', run: { _id: same._id } });
    expect((await store.claim(newRun(randomUUID(), 's0'), 3)).outcome).toBe('claimed');

    await store.report(tenant, same._id, ending('completed', 1));
    expect((await store.claim(newRun(tenant, 'next'), 3)).outcome).toBe('claimed');
  });

  it('have one source one at a time', async () => {
    const tenant = randomUUID();
    const claims = await Promise.all(Array.from({ length: 12 }, () => store.claim(newRun(tenant, 'same'), 10)));
    const winner = claims.find(({ outcome }) => outcome === 'claimed');
    expect(claims.filter(({ outcome }) => outcome === 'held')).toHaveLength(11);
    for (const claim of claims) {
      if (claim.outcome === 'held') expect(winner).toMatchObject({ run: { _id: claim.holder._id } });
    }
  });

  it('one time of a schedule has one run, until it is skipped', async () => {
    const tenant = randomUUID();
    const occasion = `${randomUUID()}@2026-01-31T02:30:00.000Z`;
    const scheduled = () => newRun(tenant, 'same', { occasion });
    const announced = await Promise.all(Array.from({ length: 8 }, () => store.announce(scheduled())));
    expect(new Set(announced.map(({ _id }) => _id)).size).toBe(1);
    await store.endWaiting(tenant, announced[0]?._id ?? '', 'skipped', 'the source was being read');
    const second = await store.announce(scheduled());
    expect(second._id).not.toBe(announced[0]?._id);
    expect(await store.list(tenant, { state: 'skipped', limit: 9 })).toHaveLength(1);
  });
});

describe('a run that ended', () => {
  it('is opened again once, with an attempt of its own, and keeps the ends of those before', async () => {
    const tenant = randomUUID();
    const run = newRun(tenant, 'retried');
    await store.claim(run, 5);
    await store.report(tenant, run._id, ending('failed', 4));
    const failed = await store.get(tenant, run._id);
    expect(failed).toMatchObject({ state: 'failed', revision: 4, attempts: [{ number: 1, state: 'failed' }] });
    if (failed === undefined) throw new Error('there is no run');

    const opened = await Promise.all([2, 2, 2].map((number) => store.reopen(failed, attempt(number), 5)));
    const outcomes = opened.map((claim) => claim?.outcome);
    expect(outcomes.filter((outcome) => outcome === 'claimed').length).toBeGreaterThan(0);
    const again = await store.get(tenant, run._id);
    expect(again).toMatchObject({ state: 'running', revision: 5, active: true });
    expect(again?.attempts?.map(({ number }) => number)).toEqual([1, 2]);
    expect(again?.ended_at).toBeUndefined();

    // What the first attempt still had to say comes too late.
    await store.report(tenant, run._id, ending('failed', 5));
    expect((await store.get(tenant, run._id))?.state).toBe('running');
    await store.report(tenant, run._id, ending('completed', 6));
    const done = await store.get(tenant, run._id);
    expect(done?.attempts?.map(({ state }) => state)).toEqual(['failed', 'completed']);
    expect(done && (await store.reopen(done, attempt(3), 5))).toBeUndefined();
  });

  it('is not opened while another run reads the source', async () => {
    const tenant = randomUUID();
    const run = newRun(tenant, 'shared');
    await store.claim(run, 5);
    await store.report(tenant, run._id, ending('failed', 1));
    const other = newRun(tenant, 'shared');
    await store.claim(other, 5);
    const failed = await store.get(tenant, run._id);
    if (failed === undefined) throw new Error('there is no run');
    expect(await store.reopen(failed, attempt(2), 5)).toMatchObject({ outcome: 'held', holder: { _id: other._id } });
  });
});

describe('a run that waits', () => {
  it('gets the source when it is free, in the order that they came', async () => {
    const tenant = randomUUID();
    const reading = newRun(tenant, 'busy');
    await store.claim(reading, 5);
    const [first, second] = [
      await store.announce(newRun(tenant, 'busy')),
      await store.announce(newRun(tenant, 'busy')),
    ];
    const lately = new Date(Date.now() - 60_000);
    expect(await store.claimWaiting(first, 'w1', 5)).toMatchObject({ outcome: 'held', holder: { _id: reading._id } });
    expect((await store.waitingBefore(second, lately))?._id).toBe(first._id);
    expect(await store.waitingBefore(first, lately)).toBeUndefined();
    // One that nobody has heard of lately is dead, and holds up nobody.
    expect(await store.waitingBefore(second, new Date(Date.now() + 1_000))).toBeUndefined();
    await store.report(tenant, reading._id, ending('completed', 1));
    const claims = await Promise.all([store.claimWaiting(first, 'w1', 5), store.claimWaiting(first, 'w1', 5)]);
    expect(claims).toMatchObject([{ outcome: 'claimed' }, { outcome: 'claimed', run: { workflow_id: 'w1' } }]);
    await store.endWaiting(tenant, second._id, 'cancelled', 'not wanted any more');
    expect(await store.claimWaiting(second, 'w2', 5)).toBeUndefined();
    await store.report(tenant, first._id, ending('completed', 1));
    expect(await store.claimWaiting(second, 'w2', 5)).toBeUndefined();
  });

  it('holds up nobody while it is put off, and everybody after it from its first look on', async () => {
    const tenant = randomUUID();
    const not_before = new Date(Date.now() + 600_000);
    const putOff = await store.announce(newRun(tenant, 'shared', { not_before, schedule_id: 'p1' }));
    const second = await store.announce(newRun(tenant, 'shared', { schedule_id: 'p1' }));
    const lately = new Date(Date.now() - 60_000);
    expect(await store.waitingBefore(second, lately)).toBeUndefined();
    expect(await store.waitingOf(tenant, 'p1', lately)).toBe(2);
    // Long after anybody has heard of it, it is still one that waits.
    expect(await store.waitingOf(tenant, 'p1', new Date(Date.now() + 60_000))).toBe(1);
    await store.keepWaiting(tenant, putOff._id, 'Waiting for the source');
    expect((await store.waitingBefore(second, lately))?._id).toBe(putOff._id);
  });

  it('is found again by its id when it was ended as it waited', async () => {
    const tenant = randomUUID();
    const run = newRun(tenant, 'asked for', { occasion: `${randomUUID()}@2026-01-31T02:30:00.000Z` });
    await store.announce(run);
    await store.endWaiting(tenant, run._id, 'skipped', 'too many wait');
    expect(await store.announce(run)).toMatchObject({ _id: run._id, state: 'skipped' });
  });
});
