import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { IncidentActivities } from '#activities/incidents/index.ts';
import type { IdentifiedReport, IncidentRequest } from '#domain/incidents/incident.ts';
import type { Incident } from '#domain/incidents/record.ts';
import { answerActions } from './actions.ts';
import { IncidentCase, type IncidentSnapshot } from './incident-case.ts';
import { incidentQuery, reportSignal } from './messages.ts';

/** Tried for as long as it takes: an incident that is not kept, and not told, is of no use. */
const steps = proxyActivities<IncidentActivities>({
  startToCloseTimeout: '15 seconds',
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '10 seconds' },
});

/** Not worth waiting for: people are told of an incident without its lineage rather than late. */
const graph = proxyActivities<IncidentActivities>({
  startToCloseTimeout: '15 seconds',
  scheduleToCloseTimeout: '20 seconds',
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '5 seconds' },
});

/** How soon the graph is asked again after it gave no answer. */
const askAgainMs = 60_000;
/** Reports that are taken together. */
const reportsAtOnce = 20;

/** Carried through continue-as-new. */
interface Resumption {
  snapshot: IncidentSnapshot;
  inbox: IdentifiedReport[];
}

export interface IncidentOutcome {
  /** Whether any report was news; otherwise the workflow has done nothing. */
  opened: boolean;
  reports: number;
}

/**
 * One incident from its first report until it is resolved, and for as long after that as a report may reopen it. Takes reports
 * and what people do, finds out whom it concerns, tells them, and escalates while nobody acknowledges.
 */
export async function handleIncident(request: IncidentRequest, resumption?: Resumption): Promise<IncidentOutcome> {
  const incident = new IncidentCase(request, resumption?.snapshot);
  const desk = new Desk(request, incident, resumption?.inbox ?? []);
  setHandler(reportSignal, (report) => desk.take(report));
  setHandler(incidentQuery, () => incident.incident ?? null);
  answerActions(incident, desk);

  try {
    return await handle(incident, desk);
  } catch (error) {
    if (isCancellation(error)) await CancellationScope.nonCancellable(() => desk.close());
    throw error;
  }
}

async function handle(incident: IncidentCase, desk: Desk): Promise<IncidentOutcome> {
  for (;;) {
    await desk.readReports();
    if (incident.incident === undefined) return { opened: false, reports: 0 };
    incident.escalate(new Date());
    await desk.tell();
    if (desk.isDone()) {
      await condition(allHandlersFinished);
      if (desk.isDone()) return { opened: true, reports: incident.incident.reports };
      continue;
    }
    await desk.continueIfLong();
    await desk.waitForNews();
  }
}

/** Where reports arrive, and from where others are told. */
class Desk {
  readonly #request: IncidentRequest;
  readonly #case: IncidentCase;
  readonly #inbox: IdentifiedReport[];
  #telling: Promise<void> = Promise.resolve();
  #told = 0;
  #askAgainAt = Number.POSITIVE_INFINITY;

  constructor(request: IncidentRequest, incident: IncidentCase, inbox: IdentifiedReport[]) {
    this.#request = request;
    this.#case = incident;
    this.#inbox = inbox;
    if (incident.unassessed) this.#askAgainAt = 0;
  }

  take(report: IdentifiedReport): void {
    this.#inbox.push(report);
  }

  /** Reports that have arrived and were not read yet. */
  get waiting(): number {
    return this.#inbox.length;
  }

  /** Takes what has arrived, but for what has been taken before, here or by an incident that is long over. */
  async readReports(): Promise<void> {
    while (this.#inbox.length > 0) {
      const { tenantId, source, key, incidentId } = this.#request;
      const taken = this.#inbox.splice(0, reportsAtOnce);
      const first = this.#case.receive(taken.length);
      const claims = taken.map(({ report_id }, index) => ({ reportId: report_id, seq: first + index }));
      const fresh = new Set(await steps.claimReports({ tenantId, source, key, incidentId, claims }));
      for (const [index, report] of taken.entries()) {
        if (!fresh.has(first + index)) continue;
        if (this.#case.opens(report, first + index)) this.#case.follow(await steps.readPolicy(tenantId), new Date());
        this.#case.report(report, first + index, new Date());
      }
      if (this.#case.unassessed) await this.#assess();
      await this.tell();
      await this.continueIfLong();
    }
    if (this.#case.unassessed && Date.now() >= this.#askAgainAt) await this.#assess();
  }

  /** Keeps and publishes what has happened. One update after the other, so that they are heard in their order. */
  async tell(): Promise<void> {
    const update = this.#case.takeUpdate();
    if (update !== undefined) {
      this.#told += 1;
      setCurrentDetails(detailsOf(update.incident));
      // What has been seen here is told, also when the workflow is being cancelled.
      const record = (): Promise<void> => CancellationScope.nonCancellable(() => steps.recordChange(update));
      this.#telling = this.#telling.then(record);
    }
    await this.#telling;
  }

  /** Ends the incident because somebody cancelled its workflow: what nobody looks after must not look open. */
  async close(): Promise<void> {
    const { incident } = this.#case;
    if (incident !== undefined && incident.state !== 'resolved') {
      const { incident_id } = incident;
      const text = 'Its workflow was cancelled';
      this.#case.resolve({ action_id: 'cancelled', incident_id, by: 'lily', text }, new Date(), this.waiting);
    }
    await this.tell();
    await condition(allHandlersFinished);
  }

  /** Whether the incident is over, and nothing more has arrived for it. */
  isDone(): boolean {
    return this.#inbox.length === 0 && this.#case.isOver(new Date());
  }

  /** Sleeps until something arrives, is done, or is due. */
  async waitForNews(): Promise<void> {
    const seen = this.#case.changes;
    const dueAt = Math.min(this.#case.dueAt() ?? Number.POSITIVE_INFINITY, this.#askAgainAt);
    const isNews = (): boolean => this.#inbox.length > 0 || this.#case.changes !== seen;
    if (dueAt === Number.POSITIVE_INFINITY) await condition(isNews);
    else if (dueAt > Date.now()) await condition(isNews, dueAt - Date.now());
  }

  /** Goes on in a new execution when this one's history has grown enough. */
  async continueIfLong(): Promise<void> {
    const { changesPerExecution = Number.POSITIVE_INFINITY } = this.#request;
    if (this.#case.incident === undefined) return;
    if (!workflowInfo().continueAsNewSuggested && this.#told < changesPerExecution) return;
    await this.tell();
    await condition(allHandlersFinished);
    // What is carried has to fit into one payload.
    if (this.#inbox.length > reportsAtOnce) return;
    const resumption: Resumption = { snapshot: this.#case.snapshot(), inbox: this.#inbox };
    await continueAsNew<typeof handleIncident>(this.#request, resumption);
  }

  async #assess(): Promise<void> {
    const named = this.#case.incident?.named ?? [];
    try {
      const assessment = await graph.assessIncident({ tenantId: this.#request.tenantId, named });
      this.#askAgainAt = Number.POSITIVE_INFINITY;
      this.#case.assess(assessment, named, new Date());
    } catch (error) {
      if (isCancellation(error)) throw error;
      this.#askAgainAt = Date.now() + askAgainMs;
    }
  }
}

/** The Web UI shows this while the incident goes on. */
function detailsOf(incident: Incident): string {
  const { state, severity, title, entities, affected_count: affected, assignee, escalates_at: escalates } = incident;
  const lines = [
    `**${state}** · ${severity} · ${title}`,
    `${entities.length} entities, ${affected} affected downstream`,
  ];
  if (assignee !== undefined) lines.push(`Assigned to ${assignee}`);
  if (escalates !== undefined) lines.push(`Escalates at ${escalates}`);
  return lines.join('\n\n');
}
