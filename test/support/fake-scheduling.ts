import type { Announcement, Occasion, ScheduledRunActivities } from '#activities/ingestion/scheduled-runs.ts';
import type { SourceTestActivities } from '#activities/ingestion/source-test.ts';
import type { OverlapPolicy, Turn } from '#domain/ingestion/schedule.ts';

export interface FakeSchedule {
  overlap?: OverlapPolicy;
  jitterMs?: number;
  /** What is answered to a run that asks for its turn, question after question; then it has the turn. */
  turns?: Turn[];
  /** Nominal times that have had their run. */
  done?: string[];
}

/** The activities of scheduled runs, without any store: they note what was asked of them. */
export function fakeScheduling({ overlap = 'skip', jitterMs = 0, turns = [], done = [] }: FakeSchedule = {}) {
  const seen = { occasions: [] as Occasion[], turns: 0, ended: [] as string[] };
  const activities: ScheduledRunActivities & SourceTestActivities = {
    async announceRun(occasion): Promise<Announcement> {
      seen.occasions.push(occasion);
      if (done.includes(occasion.scheduledFor)) return { nothing: 'This time has had its run.' };
      const runId = occasion.runId ?? `run-${occasion.scheduledFor}`;
      const actor = occasion.actor ?? 'schedule:nightly';
      const ref = { tenantId: occasion.tenantId, runId, sourceId: 'fake:source', sourceType: 'postgres', actor };
      return { run: { ref, overlap, jitterMs } };
    },
    async takeTurn(): Promise<Turn> {
      const turn = turns[seen.turns] ?? { outcome: 'turn' };
      seen.turns += 1;
      return turn;
    },
    async endWaitingRun(_run, state, reason) {
      seen.ended.push(`${state}: ${reason}`);
    },
    async checkSource() {
      return { ok: false, reason: 'db:5432 refuses connections.', latencyMs: 7 };
    },
  };
  return { activities, seen };
}
