import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { apiOf, freshTenant, tokenOf, type Api } from '#test/e2e/api/client.ts';

export interface Run {
  run_id: string;
  state: string;
  trigger: string;
  started_by: string;
  saved_source_id: string | null;
  schedule_id: string | null;
  scheduled_for: string | null;
  counts: Record<string, number>;
  pages: number;
  reason: string | null;
  attempts: { number: number; state: string | null; reason: string | null; workflow_id: string }[];
  started_at: string;
  ended_at: string | null;
}

const patienceMs = 120_000;

/** Looks again and again until it is as it should be. */
export async function until<T>(look: () => Promise<T>, condition: (seen: T) => boolean): Promise<T> {
  for (const deadline = Date.now() + patienceMs; ; await sleep(100)) {
    const seen = await look();
    if (condition(seen)) return seen;
    if (Date.now() > deadline) throw new Error(`it did not come about: ${JSON.stringify(seen)}`);
  }
}

export const ended = (run: Run): boolean => run.ended_at !== null && run.ended_at !== undefined;

/** A tenant of its own, and what its operator does with runs, sources and schedules. */
export async function operator() {
  const tenant = freshTenant();
  const api: Api = apiOf(await tokenOf(tenant, ['operator']));

  const made = async (path: string, json: object, status: number): Promise<Record<string, unknown>> => {
    const answer = await api('POST', path, { json });
    expect(answer.status, JSON.stringify(answer.body)).toBe(status);
    return answer.body;
  };
  const look = async (runId: string): Promise<Run> =>
    (await api('GET', `/v1/ingestions/${runId}`)).body as unknown as Run;

  return {
    tenant,
    api,
    look,
    start: async (json: object): Promise<string> => String((await made('/v1/ingestions', json, 202))['run_id']),
    /** A saved PostgreSQL source, by its id. */
    save: async (url: string, name = 'warehouse', options: object = {}): Promise<string> =>
      String((await made('/v1/sources', { name, source: { type: 'postgres', url, ...options } }, 201))['source_id']),
    schedule: async (definition: object): Promise<string> =>
      String((await made('/v1/schedules', definition, 201))['schedule_id']),
    /** POSTs without a body of note. */
    act: (path: string, json: object = {}) => api('POST', path, { json }),
    runUntil: (runId: string, condition: (run: Run) => boolean): Promise<Run> => until(() => look(runId), condition),
    history: async (query: string): Promise<Run[]> =>
      (await api('GET', `/v1/ingestions?${query}`)).body.items as unknown as Run[],
  };
}
