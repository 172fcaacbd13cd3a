import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { npmBinaries } from '#deploy/local/warehouse/binaries.ts';
import { stack } from '#test/e2e/api/client.ts';
import { startServer, type TestServer } from '#test/integration/ingestion/postgres-servers.ts';
import { createWideDatabase } from '#test/integration/ingestion/wide-database.ts';
import { ended, operator, until, type Run } from './operator.ts';

const wide = { tables: 150, columnsPerTable: 20 };

let server: TestServer;
beforeAll(async () => {
  server = await startServer(npmBinaries());
});
afterAll(() => server.stop());

interface ScheduleState {
  paused: boolean;
  note: string | null;
  next: string[];
  recent: Run[];
  missed: string[];
}

async function someone() {
  const one = await operator();
  const state = async (id: string): Promise<ScheduleState> =>
    (await one.api('GET', `/v1/schedules/${id}`)).body as unknown as ScheduleState;
  return { ...one, state };
}

describe('a schedule', () => {
  it('fires by itself, skips what overlaps and says so, is paused and triggered', async () => {
    const { api, save, schedule, act, start, runUntil, history, state } = await someone();
    const { client, url } = await server.database();
    await createWideDatabase(client, { tables: 5, columnsPerTable: 2 });
    const source_id = await save(url);
    const id = await schedule({ source_id, every: '10s', overlap: 'skip' });
    const { next } = await state(id);
    expect(next.length).toBeGreaterThan(0);

    const [first] = await until(
      () => history(`schedule=${id}`),
      (runs) => runs.some(ended),
    );
    expect(first).toMatchObject({
      state: 'completed',
      trigger: 'schedule',
      started_by: `schedule:${id}`,
      schedule_id: id,
      saved_source_id: source_id,
      scheduled_for: next[0],
    });
    expect(Date.parse(first?.scheduled_for ?? '') % 10_000).toBe(0);

    // Somebody reads the source by hand, and takes their time.
    const byHand = await start({ source_id });
    await act(`/v1/ingestions/${byHand}/pause`);
    const skipped = await until(
      () => history(`schedule=${id}&state=skipped`),
      (runs) => runs.length > 0,
    );
    expect(skipped[0]).toMatchObject({ trigger: 'schedule', counts: { read: 0 } });
    expect(skipped[0]?.reason).toContain(byHand);

    const paused = await act(`/v1/schedules/${id}/pause`, { note: 'the warehouse moves' });
    expect(paused.body).toMatchObject({ paused: true, note: 'the warehouse moves' });
    expect((await runUntil(byHand, () => true)).state).toBe('paused');
    await act(`/v1/ingestions/${byHand}/resume`);
    expect((await runUntil(byHand, ended)).state).toBe('completed');
    const before = await history(`schedule=${id}`);
    expect(await state(id)).toMatchObject({ paused: true, next: [] });

    const triggered = await act(`/v1/schedules/${id}/trigger`);
    expect(triggered.status).toBe(202);
    const run = await runUntil(String(triggered.body['run_id']), ended);
    expect(run).toMatchObject({ state: 'completed', trigger: 'manual', started_by: expect.any(String) as string });
    await sleep(11_000);
    expect(await history(`schedule=${id}`)).toHaveLength(before.length + 1);

    expect((await act(`/v1/schedules/${id}/resume`)).body).toMatchObject({ paused: false, note: null });
    expect((await api('DELETE', `/v1/sources/${source_id}`)).status).toBe(409);
    expect((await api('DELETE', `/v1/schedules/${id}`)).status).toBe(204);
    expect((await api('GET', `/v1/schedules/${id}`)).status).toBe(404);
    expect((await api('DELETE', `/v1/sources/${source_id}`)).status).toBe(204);
  });

  it('makes up for missed times, each once, in order, over a change of the clocks', async () => {
    const { save, schedule, act, history } = await someone();
    const { client, url } = await server.database();
    await createWideDatabase(client, { tables: 5, columnsPerTable: 2 });
    const source_id = await save(url);
    const id = await schedule({ source_id, cron: '30 2 * * *', time_zone: 'Europe/Berlin' });
    const range = { from: '2025-10-25T00:30:00Z', to: '2025-10-27T01:30:00Z' };
    // On the 26th the clocks go back: half past two comes twice, and counts once.
    const times = ['2025-10-25T00:30', '2025-10-26T01:30', '2025-10-27T01:30'];
    const nominal = times.map((time) => `${time}:00.000Z`);

    const [one, other] = await Promise.all([
      act(`/v1/schedules/${id}/backfill`, range),
      act(`/v1/schedules/${id}/backfill`, range),
    ]);
    expect(one).toMatchObject({ status: 202, body: { times: nominal, already_run: 0 } });
    expect(other.status).toBe(202);
    const runs = (
      await until(
        () => history(`schedule=${id}`),
        (seen) => seen.filter(ended).length >= nominal.length,
      )
    ).toReversed();
    expect(runs.map((run) => [run.state, run.trigger, run.scheduled_for])).toEqual(
      nominal.map((time) => ['completed', 'backfill', time]),
    );
    for (const [index, run] of runs.slice(1).entries()) {
      expect(Date.parse(run.started_at)).toBeGreaterThanOrEqual(Date.parse(runs[index]?.ended_at ?? ''));
    }
    await sleep(1_000);
    expect(await history(`schedule=${id}`)).toHaveLength(nominal.length);
    const again = await act(`/v1/schedules/${id}/backfill`, range);
    expect(again.body).toMatchObject({ times: [], already_run: nominal.length });

    // In spring half past two is left out, and nothing happens on that day.
    const spring = await act(`/v1/schedules/${id}/backfill`, {
      from: '2025-03-29T00:00:00Z',
      to: '2025-03-31T23:00:00Z',
    });
    expect(spring.body['times']).toEqual(['2025-03-29T01:30:00.000Z', '2025-03-31T00:30:00.000Z']);
    await until(
      () => history(`schedule=${id}`),
      (seen) => seen.filter(ended).length === nominal.length + 2,
    );
  });

  it('sees a run to its end whose worker was killed', async () => {
    const { save, schedule, act, history, runUntil } = await someone();
    const { client, url } = await server.database();
    await createWideDatabase(client, wide);
    const id = await schedule({ source_id: await save(url, 'big', { page_size: 100 }), every: '10s' });
    const [fired] = await until(
      () => history(`schedule=${id}`),
      (runs) => (runs[0]?.pages ?? 0) >= 3,
    );
    await stack.kill('worker');
    await act(`/v1/schedules/${id}/pause`);
    await stack.start('worker');
    const run = await runUntil(fired?.run_id ?? '', ended);
    const read = 3 + wide.tables * (1 + wide.columnsPerTable);
    expect(run).toMatchObject({ state: 'completed', counts: { read, created: read }, attempts: [{ number: 1 }] });
    // Times that came meanwhile found the source being read.
    const others = (await history(`schedule=${id}`)).filter(({ run_id }) => run_id !== run.run_id);
    for (const other of others) expect(['skipped', 'completed', 'running', 'waiting']).toContain(other.state);
  });

  it('waits its turn, or has the other run cancelled, as its policy says', async () => {
    const { save, schedule, act, start, runUntil } = await someone();
    const { client, url } = await server.database();
    await createWideDatabase(client, { tables: 5, columnsPerTable: 2 });
    const source_id = await save(url);
    const patient = await schedule({ source_id, cron: '0 0 1 1 *', overlap: 'buffer_one' });
    const impatient = await schedule({ source_id, cron: '0 0 1 1 *', overlap: 'cancel_other' });
    const byHand = await start({ source_id });
    await act(`/v1/ingestions/${byHand}/pause`);
    const trigger = async (id: string): Promise<string> =>
      String((await act(`/v1/schedules/${id}/trigger`)).body['run_id']);

    const waits = await trigger(patient);
    expect((await runUntil(waits, (run) => run.state === 'waiting')).state).toBe('waiting');
    const oneTooMany = await runUntil(await trigger(patient), ended);
    expect(oneTooMany).toMatchObject({ state: 'skipped', reason: expect.stringContaining(waits) as string });
    expect((await act(`/v1/ingestions/${waits}/pause`)).status).toBe(409);
    expect((await act(`/v1/ingestions/${waits}/cancel`)).status).toBe(200);
    expect((await runUntil(waits, ended)).state).toBe('cancelled');

    const next = await runUntil(await trigger(impatient), ended);
    expect(next.state).toBe('completed');
    expect((await runUntil(byHand, ended)).state).toBe('cancelled');
  });

  it('is refused by name when it makes no sense', async () => {
    const { api, save, act } = await someone();
    const { url } = await server.database();
    const source_id = await save(url);
    const fine = { source_id, every: '15m' };
    for (const [definition, field] of [
      [{ source_id }, '/cron'],
      [{ ...fine, cron: '0 0 * * *' }, '/cron'],
      [{ source_id, cron: '61 * * * *' }, '/cron'],
      [{ source_id, cron: 'TZ=UTC 0 0 * * *' }, '/cron'],
      [{ source_id, every: '5s' }, '/every'],
      [{ source_id, every: 'often' }, '/every'],
      [{ ...fine, time_zone: 'Europe/Atlantis' }, '/time_zone'],
      [{ ...fine, overlap: 'allow_all' }, '/overlap'],
      [{ ...fine, jitter: '2d' }, '/jitter'],
      [{ ...fine, source_id: '01a1fd65-428b-7a48-a0a3-f5f6ed3774e1' }, '/source_id'],
      [{ ...fine, who: 'me' }, '/who'],
    ] as const) {
      expect(await act('/v1/schedules', definition), JSON.stringify(definition)).toMatchObject({
        status: 400,
        body: { field },
      });
    }
    expect((await api('GET', '/v1/schedules')).body.items).toEqual([]);
  });

  it("is another tenant's secret", async () => {
    const [owner, stranger] = [await someone(), await someone()];
    const { url } = await server.database();
    const source_id = await owner.save(url);
    const definition = { source_id, every: '1h' };
    const id = await owner.schedule(definition);
    const range = { from: '2025-10-25T00:30:00Z', to: '2025-10-25T01:30:00Z' };
    for (const [method, path, json] of [
      ['GET', '', undefined],
      ['DELETE', '', undefined],
      ['POST', '/pause', {}],
      ['POST', '/resume', {}],
      ['POST', '/trigger', undefined],
      ['POST', '/backfill', range],
    ] as const) {
      const answer = await stranger.api(method, `/v1/schedules/${id}${path}`, json === undefined ? {} : { json });
      expect(answer.status, path).toBe(404);
    }
    // A source of another tenant is none.
    expect((await stranger.act('/v1/schedules', definition)).status).toBe(400);
    expect((await stranger.api('PUT', `/v1/schedules/${id}`, { json: definition })).status).toBe(400);
    expect((await stranger.api('GET', '/v1/schedules')).body.items).toEqual([]);
    expect(await stranger.history(`schedule=${id}`)).toEqual([]);
    expect((await owner.state(id)).paused).toBe(false);
  });
});
