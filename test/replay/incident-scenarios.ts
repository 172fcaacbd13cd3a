import type { Client, WorkflowHandle } from '@temporalio/client';
import {
  incidentIdMemo,
  incidentWorkflowId,
  reportSignalName,
  type IdentifiedReport,
  type IncidentRequest,
} from '#domain/incidents/incident.ts';
import { defaultIncidentPolicy, type IncidentPolicy } from '#domain/incidents/policy.ts';
import type { Assignment, Incident, IncidentUpdateName } from '#domain/incidents/record.ts';
import { typedLabels } from '#domain/search-attributes.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { fakeIncidents, type FakeIncidentsPlan } from '#test/support/fake-incidents.ts';
import type { handleIncident } from '#workflows/incidents/handle-incident.ts';
import type { Scenario } from './scenarios.ts';

const tenantId = 'acme';
const source = 'monte-carlo';

/** Levels and the end come within seconds: nobody waits for hours while something is recorded. */
const soon: IncidentPolicy = {
  ...defaultIncidentPolicy,
  escalation: { critical: [], high: [1, 2].map((second) => level(second)), medium: [], low: [] },
  reopen_minutes: 0,
};

function level(seconds: number) {
  return { after_minutes: seconds / 60, notify: ['on-call'] };
}

/** `handleIncident` by every way that it goes. */
export function incidentScenarios(): Scenario[] {
  return [
    story('handle-incident', {}, async (incident) => {
      await incident.report({ report_id: 'first' });
      await incident.report({ report_id: 'worse', severity: 'critical', entities: ['customers'], comment: 'more' });
      await incident.act('assign', { assignee: 'bob' });
      await incident.act('acknowledge');
      await incident.act('comment', { text: 'on it' });
      await incident.act('resolve');
    }),
    story('handle-incident-escalated', {}, async (incident) => {
      await incident.report();
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      await incident.report({ report_id: 'end', status: 'resolved' });
    }),
    story('handle-incident-continued', { changesPerExecution: 2 }, async (incident) => {
      await incident.report({ severity: 'critical' });
      for (let round = 0; round < 4; round += 1) {
        await incident.act('comment', { text: `comment ${round}` });
        await incident.report({ report_id: `report ${round}` });
      }
      await incident.act('resolve');
    }),
    story('handle-incident-unassessed', { fault: graphIsAway }, async (incident) => {
      await incident.report({ severity: 'low' });
      await new Promise((resolve) => setTimeout(resolve, 21_000));
      await incident.act('resolve');
    }),
    story('handle-incident-replayed', {}, (incident) => incident.report({ status: 'resolved' })),
    story('handle-incident-cancelled', {}, async (incident) => {
      await incident.report({ severity: 'low' });
      await incident.opened();
      await incident.handle.cancel();
    }),
  ];
}

const graphIsAway: NonNullable<FakeIncidentsPlan['fault']> = (step) => {
  if (step === 'assessIncident') throw new Error('the graph is away');
};

class RecordedIncident {
  readonly handle: WorkflowHandle<typeof handleIncident>;
  readonly #client: Client;
  readonly #request: IncidentRequest;

  constructor(client: Client, request: IncidentRequest) {
    this.#client = client;
    this.#request = request;
    this.handle = client.workflow.getHandle(incidentWorkflowId(tenantId, source, request.key));
  }

  async report(change: Partial<IdentifiedReport> = {}): Promise<void> {
    const { key, incidentId } = this.#request;
    const report: IdentifiedReport = {
      report_id: 'first',
      source,
      key,
      title: 'orders is late',
      severity: 'high',
      kind: 'freshness',
      entities: ['orders'],
      occurred_at: '2026-01-01T00:00:00Z',
      status: 'open',
      ...change,
    };
    await this.#client.workflow.signalWithStart('handleIncident', {
      workflowId: this.handle.workflowId,
      taskQueue: taskQueues.incidents,
      args: [this.#request],
      signal: reportSignalName,
      signalArgs: [report],
      memo: { [incidentIdMemo]: incidentId },
      typedSearchAttributes: typedLabels({ tenant: tenantId, job: 'handleIncident', source, subject: incidentId }),
    });
  }

  async opened(): Promise<void> {
    while ((await this.handle.query<Incident | null>('incident')) === null)
      await new Promise((resolve) => setTimeout(resolve, 50));
  }

  async act(update: IncidentUpdateName, change: Partial<Assignment> = {}): Promise<void> {
    await this.opened();
    const { incidentId } = this.#request;
    const action_id = `${update} ${change.text ?? ''}`;
    await this.handle.executeUpdate<Incident, [Assignment]>(update, {
      args: [{ action_id, incident_id: incidentId, by: 'ada', ...change }],
    });
  }
}

function story(
  name: string,
  { fault, ...options }: Partial<IncidentRequest> & FakeIncidentsPlan,
  tell: (incident: RecordedIncident) => Promise<void>,
): Scenario {
  const { activities } = fakeIncidents({ policy: soon, ...(fault && { fault }) });
  return {
    name,
    activities,
    async play(client) {
      const incidentId = '019aa700-0000-7000-8000-000000000000';
      const incident = new RecordedIncident(client, { tenantId, source, key: name, incidentId, ...options });
      await tell(incident);
      await incident.handle.result().catch(() => undefined);
      return incident.handle;
    },
  };
}
