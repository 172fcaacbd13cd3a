import { randomUUID } from 'node:crypto';
import { WorkflowUpdateFailedError, type Client, type WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IncidentActivities } from '#activities/incidents/index.ts';
import {
  incidentWorkflowId,
  reportSignalName,
  type IdentifiedReport,
  type IncidentRequest,
} from '#domain/incidents/incident.ts';
import type { Assignment, Incident, IncidentAction, IncidentUpdateName } from '#domain/incidents/record.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { fakeIncidents } from '#test/support/fake-incidents.ts';
import { startTimeSkippingTemporal, type TimeSkippingTemporal } from '#test/support/time-skipping.ts';
import type { handleIncident } from '#workflows/incidents/handle-incident.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

let temporal: TimeSkippingTemporal;

beforeAll(async () => {
  temporal = await startTimeSkippingTemporal();
});
afterAll(() => temporal.close());

/** One incident's workflow, as its clients see it. */
class IncidentUnderTest {
  readonly key = randomUUID();
  readonly #client: Client;
  readonly #options: Partial<IncidentRequest>;
  readonly #workflowId = incidentWorkflowId('acme', 'dbt', this.key);

  constructor(client: Client, options: Partial<IncidentRequest> = {}) {
    this.#client = client;
    this.#options = options;
  }

  get handle(): WorkflowHandle<typeof handleIncident> {
    return this.#client.workflow.getHandle<typeof handleIncident>(this.#workflowId);
  }

  async report(change: Partial<IdentifiedReport> = {}): Promise<void> {
    const report: IdentifiedReport = {
      report_id: randomUUID(),
      source: 'dbt',
      key: this.key,
      title: 'not_null_orders_id failed',
      severity: 'high',
      kind: 'failing-test',
      entities: ['orders'],
      occurred_at: '2026-01-01T00:00:00Z',
      status: 'open',
      ...change,
    };
    await this.#client.workflow.signalWithStart('handleIncident', {
      workflowId: this.#workflowId,
      taskQueue: taskQueues.incidents,
      args: [{ tenantId: 'acme', source: 'dbt', key: this.key, incidentId: randomUUID(), ...this.#options }],
      signal: reportSignalName,
      signalArgs: [report],
    });
  }

  async act(update: IncidentUpdateName, change: Partial<Assignment> = {}): Promise<Incident> {
    const { incident_id } = await this.now();
    const action: Assignment = { action_id: randomUUID(), incident_id, by: 'ada', ...change };
    return this.handle.executeUpdate<Incident, [IncidentAction]>(update, { args: [action] });
  }

  /** Waits until a report has opened it. */
  async opened(): Promise<void> {
    while ((await this.handle.query<Incident | null>('incident')) === null)
      await new Promise((resolve) => setTimeout(resolve, 20));
  }

  async now(): Promise<Incident> {
    const incident = await this.handle.query<Incident | null>('incident');
    if (incident === null) throw new Error('nothing has opened it');
    return incident;
  }
}

/** Plays a story with one incident. An open one would go on in the next test, with a worker that is no more. */
async function play(
  activities: IncidentActivities,
  options: Partial<IncidentRequest>,
  story: (incident: IncidentUnderTest) => Promise<void>,
): Promise<void> {
  await temporal.withWorkers(activities, async (client) => {
    const incident = new IncidentUnderTest(client, options);
    try {
      await story(incident);
    } finally {
      await incident.handle.terminate().catch(() => undefined);
    }
  });
}

const refusal = async (update: Promise<unknown>): Promise<string> =>
  update.then(
    () => 'not refused',
    (error: unknown) => (error instanceof WorkflowUpdateFailedError ? String(error.cause?.message) : String(error)),
  );

describe('handleIncident', () => {
  it('escalates level by level while nobody acknowledges, and ends some time after it is resolved', async () => {
    const { activities, updates, changes } = fakeIncidents();
    await play(activities, {}, async (incident) => {
      await incident.report();
      await temporal.sleep(29 * minuteMs);
      expect(changes()).toEqual(['opened', 'assessed']);
      await temporal.sleep(2 * minuteMs);
      expect(updates.at(-1)).toMatchObject({ notify: ['on-call'], incident: { state: 'open', escalation_level: 1 } });
      await temporal.sleep(2 * hourMs);
      expect(updates.at(-1)).toMatchObject({ notify: ['on-call', 'data-lead'], incident: { escalation_level: 2 } });
      await temporal.sleep(240 * hourMs);
      expect(changes()).toEqual(['opened', 'assessed', 'escalated', 'escalated']);
      await incident.report({ status: 'resolved' });
      expect(await incident.handle.result()).toEqual({ opened: true, reports: 2 });
      expect(updates.at(-1)).toMatchObject({ incident: { state: 'resolved', resolved_by: 'dbt' }, notify: [] });
    });
    expect(updates.map(({ revision }) => revision)).toEqual(updates.map((_update, index) => index + 1));
    const seqs = updates.flatMap(({ entries }) => entries.map(({ seq }) => seq));
    expect(seqs).toEqual(seqs.map((_seq, index) => index + 1));
  });

  it('escalates no more once somebody has acknowledged', async () => {
    const { activities, changes } = fakeIncidents();
    await play(activities, {}, async (incident) => {
      await incident.report({ severity: 'critical' });
      await temporal.sleep(6 * minuteMs);
      expect(await incident.act('acknowledge')).toMatchObject({ state: 'acknowledged', acknowledged_by: 'ada' });
      await temporal.sleep(48 * hourMs);
      expect(changes()).toEqual(['opened', 'assessed', 'escalated', 'acknowledged']);
      expect(await refusal(incident.act('acknowledge'))).toContain('acknowledged already, by ada');
      expect(await incident.act('resolve', { text: 'reloaded' })).toMatchObject({ state: 'resolved' });
      expect(await refusal(incident.act('resolve'))).toBe('The incident is resolved.');
      expect(await refusal(incident.act('assign', { assignee: 'bob' }))).toBe('The incident is resolved.');
      expect(await incident.act('comment', { text: 'all well' })).toMatchObject({ comments: 1 });
    });
  });

  it('takes what comes later: a worse severity, a comment, more tables; and the same thing once', async () => {
    const { activities, changes } = fakeIncidents();
    await play(activities, {}, async (incident) => {
      const later: Partial<IdentifiedReport> = {
        report_id: 'later',
        severity: 'critical',
        entities: ['customers', 'orders'],
        comment: 'again',
        assignee: 'bob@example.org',
      };
      await incident.report({ report_id: 'first' });
      await incident.report({ report_id: 'first' });
      await incident.report(later);
      await temporal.sleep(minuteMs);
      await incident.report(later);
      await temporal.sleep(minuteMs);
      expect(await incident.now()).toMatchObject({
        severity: 'critical',
        named: ['orders', 'customers'],
        assessed: true,
        assignee: 'bob@example.org',
        reports: 2,
        comments: 1,
      });
      expect(changes().filter((change) => change === 'commented')).toHaveLength(1);
      // Critical ones escalate after five minutes from the opening, which the next level of `high` would not.
      await temporal.sleep(4 * minuteMs);
      expect(await incident.now()).toMatchObject({ escalation_level: 1 });
      expect(await incident.act('resolve', { action_id: 'once' })).toMatchObject({ state: 'resolved' });
      expect(await incident.act('resolve', { action_id: 'once' })).toMatchObject({ state: 'resolved' });
      expect(changes().filter((change) => change === 'resolved')).toHaveLength(1);
    });
  });

  it('is reopened by a report soon after its end, and is another incident after that', async () => {
    const { activities, updates, changes } = fakeIncidents();
    await play(activities, {}, async (incident) => {
      await incident.report({ report_id: 'first' });
      await temporal.sleep(hourMs);
      await incident.act('acknowledge');
      await incident.act('resolve');
      await temporal.sleep(59 * minuteMs);
      await incident.report({ report_id: 'second' });
      await temporal.sleep(minuteMs);
      const again = await incident.now();
      expect(again).toMatchObject({ state: 'open', reopened: 1, escalation_level: 0 });
      expect(again.acknowledged_by).toBeUndefined();
      await temporal.sleep(30 * minuteMs);
      expect(changes().slice(-1)).toEqual(['escalated']);
      await incident.report({ status: 'resolved' });
      expect(await incident.handle.result()).toMatchObject({ opened: true });
      const seen = updates.length;

      // Somebody sends what was sent long ago: it opens nothing.
      await incident.report({ report_id: 'first' });
      expect(await incident.handle.result()).toEqual({ opened: false, reports: 0 });
      expect(updates).toHaveLength(seen);

      await incident.report({ report_id: 'third' });
      await temporal.sleep(minuteMs);
      expect(updates.at(-1)?.incident.incident_id).not.toBe(updates[0]?.incident.incident_id);
      expect(updates.at(-1)?.revision).toBe(1);
    });
  });

  it('is not opened by its end, and refuses to be acted upon before it is opened', async () => {
    const { activities, updates } = fakeIncidents();
    await play(activities, {}, async (incident) => {
      await incident.report({ status: 'resolved' });
      expect(await incident.handle.result()).toEqual({ opened: false, reports: 0 });
    });
    expect(updates).toEqual([]);
  });

  it('keeps everything over continue-as-new', async () => {
    const { activities, updates, changes } = fakeIncidents();
    await play(activities, { changesPerExecution: 2 }, async (incident) => {
      await incident.report({ report_id: 'first', severity: 'critical' });
      await incident.opened();
      const { runId: firstRun } = await incident.handle.describe();
      for (let round = 0; round < 6; round += 1) {
        await incident.act('comment', { text: `comment ${round}`, action_id: `action ${round}` });
        await incident.report({ report_id: `report ${round}`, entities: [`table ${round}`] });
      }
      // What has been seen in an execution that is over, is known in this one.
      await incident.act('comment', { text: 'comment 0', action_id: 'action 0' });
      await incident.report({ report_id: 'report 0' });
      await temporal.sleep(31 * minuteMs);
      expect((await incident.handle.describe()).runId).not.toBe(firstRun);
      expect(await incident.now()).toMatchObject({ comments: 6, reports: 7, escalation_level: 1, severity: 'high' });
      expect((await incident.now()).named).toHaveLength(7);
      await incident.act('resolve');
      expect(await incident.handle.result()).toEqual({ opened: true, reports: 7 });
    });
    expect(changes().filter((change) => change === 'opened')).toHaveLength(1);
    expect(updates.map(({ revision }) => revision)).toEqual(updates.map((_update, index) => index + 1));
    expect(new Set(updates.map(({ incident }) => incident.incident_id)).size).toBe(1);
  });

  it('is not reopened by what had arrived before it was resolved', async () => {
    let away = false;
    const fault = (step: string): void => {
      if (step === 'claimReports' && away) throw new Error('MongoDB is away');
    };
    const { activities, changes } = fakeIncidents({ fault });
    await play(activities, {}, async (incident) => {
      await incident.report();
      await incident.opened();
      away = true;
      await incident.report({ report_id: 'in between' });
      await incident.act('resolve');
      away = false;
      await temporal.sleep(10 * minuteMs);
      expect(await incident.now()).toMatchObject({ state: 'resolved', reports: 2, reopened: 0 });
      expect(changes().slice(-2)).toEqual(['resolved', 'reported']);
    });
  });

  it('is resolved when somebody cancels its workflow', async () => {
    const { activities, updates } = fakeIncidents();
    await play(activities, {}, async (incident) => {
      await incident.report();
      await incident.opened();
      await incident.handle.cancel();
      await expect(incident.handle.result()).rejects.toThrow('Workflow execution cancelled');
    });
    expect(updates.at(-1)?.incident).toMatchObject({ state: 'resolved', resolved_by: 'lily' });
  });

  it('is told without its lineage when the graph gives no answer, and with it later', async () => {
    let answers = false;
    const fault = (step: string): void => {
      if (step === 'assessIncident' && !answers) throw new Error('the graph is away');
    };
    const { activities, updates, changes } = fakeIncidents({ fault });
    await play(activities, {}, async (incident) => {
      await incident.report();
      await temporal.sleep(minuteMs);
      expect(changes()).toEqual(['opened']);
      expect(updates[0]?.incident).toMatchObject({ assessed: false, entities: [] });
      answers = true;
      await temporal.sleep(5 * minuteMs);
      expect(changes()).toEqual(['opened', 'assessed']);
      expect(await incident.now()).toMatchObject({ assessed: true, affected_count: 1 });
    });
  });

  it('tells everything once the stores are back, in its order', async () => {
    let away = true;
    const fault = (step: string): void => {
      if (step === 'recordChange' && away) throw new Error('Kafka is away');
    };
    const { activities, updates, changes } = fakeIncidents({ fault });
    await play(activities, {}, async (incident) => {
      await incident.report();
      await incident.report({ comment: 'worse' });
      await temporal.sleep(10 * minuteMs);
      expect(updates).toEqual([]);
      away = false;
      await temporal.sleep(minuteMs);
      expect(changes()[0]).toBe('opened');
      expect(changes()).toEqual(expect.arrayContaining(['assessed', 'commented']));
      const seqs = updates.flatMap(({ entries }) => entries.map(({ seq }) => seq));
      expect(seqs).toEqual(seqs.map((_seq, index) => index + 1));
    });
  });
});
