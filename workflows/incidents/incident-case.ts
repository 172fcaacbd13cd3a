import { defaultSeverity, type IdentifiedReport, type IncidentRequest } from '#domain/incidents/incident.ts';
import { defaultIncidentPolicy, nextLevel, type IncidentPolicy } from '#domain/incidents/policy.ts';
import type {
  Assessment,
  Assignment,
  Incident,
  IncidentAction,
  IncidentChange,
  IncidentUpdate,
  TimelineEntry,
} from '#domain/incidents/record.ts';
import { limits } from '#domain/limits.ts';

/** Everything that an incident's workflow knows, to go on in a new execution. Bounded: the story itself is in MongoDB. */
export interface IncidentSnapshot {
  incident?: Incident;
  policy: IncidentPolicy;
  revision: number;
  entries: number;
  /** Reports that have arrived, whether or not they were news. */
  received: number;
  /** Reports that had arrived when it was resolved: they may be read later, but are no reason to open it again. */
  settled: number;
  /** When it was opened or last reopened: escalation counts from here. */
  since: string;
  /** Actions done lately, the newest last. */
  actionIds: string[];
}

/** Actions whose repetition is still known for one. */
const rememberedActions = 200;

const minuteMs = 60_000;
/** Who did what the workflow did by itself. */
const lily = 'lily';

/** What an incident's workflow knows of it, and the only thing that changes it. Does nothing outside of itself. */
export class IncidentCase {
  readonly #request: IncidentRequest;
  #incident: Incident | undefined;
  #policy: IncidentPolicy;
  #revision: number;
  #entries: number;
  #received: number;
  #settled: number;
  #since: string;
  #actionIds: string[];
  #untold: TimelineEntry[] = [];
  #notify: string[] = [];

  constructor(request: IncidentRequest, snapshot?: IncidentSnapshot) {
    this.#request = request;
    this.#incident = snapshot?.incident;
    this.#policy = snapshot?.policy ?? defaultIncidentPolicy;
    this.#revision = snapshot?.revision ?? 0;
    this.#entries = snapshot?.entries ?? 0;
    this.#received = snapshot?.received ?? 0;
    this.#settled = snapshot?.settled ?? 0;
    this.#since = snapshot?.since ?? '';
    this.#actionIds = [...(snapshot?.actionIds ?? [])];
  }

  /** Absent until a report has opened it. */
  get incident(): Incident | undefined {
    return this.#incident;
  }

  /** Counts the changes: it tells whether something happened meanwhile. */
  get changes(): number {
    return this.#entries;
  }

  snapshot(): IncidentSnapshot {
    return {
      ...(this.#incident && { incident: this.#incident }),
      policy: this.#policy,
      revision: this.#revision,
      entries: this.#entries,
      received: this.#received,
      settled: this.#settled,
      since: this.#since,
      actionIds: this.#actionIds,
    };
  }

  /** What has happened since the last call; undefined when nothing has. */
  takeUpdate(): IncidentUpdate | undefined {
    if (this.#incident === undefined || this.#untold.length === 0) return undefined;
    this.#revision += 1;
    const update: IncidentUpdate = {
      tenantId: this.#request.tenantId,
      incident: this.#incident,
      revision: this.#revision,
      entries: this.#untold,
      notify: this.#notify,
    };
    this.#untold = [];
    this.#notify = [];
    return update;
  }

  /** Numbers reports that have arrived; gives the first one's number. */
  receive(count: number): number {
    const first = this.#received + 1;
    this.#received += count;
    return first;
  }

  /** Takes the tenant's policy; it holds until the incident is opened again. */
  follow(policy: IncidentPolicy, now: Date): void {
    this.#policy = policy;
    this.#plan(now);
  }

  /** Whether the report of this number would open the incident, or open it again. */
  opens({ status }: IdentifiedReport, seq: number): boolean {
    if (status !== 'open') return false;
    return this.#incident === undefined || (this.#incident.state === 'resolved' && seq > this.#settled);
  }

  /** Takes a report. The end of an incident that is not known is no news. */
  report(report: IdentifiedReport, seq: number, now: Date): void {
    const at = now.toISOString();
    if (this.#incident === undefined) {
      if (report.status === 'resolved') return;
      this.#open(report, at);
    } else {
      const reopens = this.opens(report, seq);
      if (reopens) this.#reopen(report, now);
      else this.#note('reported', report.source, at, wordsOf(report));
      this.#joinReport(this.#incident, report, at);
    }
    if (report.comment !== undefined) this.#comment(report.source, report.comment, at);
    if (report.assignee !== undefined && report.assignee !== this.#incident?.assignee) {
      this.#assign(report.source, report.assignee, at);
    }
    if (report.status === 'resolved') this.#resolve(report.source, undefined, at, seq);
    else if (report.acknowledged === true) this.#acknowledge(report.source, undefined, at);
    this.#plan(now);
  }

  /** Names whose entities have not been looked for yet. */
  get unassessed(): boolean {
    return this.#incident !== undefined && !this.#incident.assessed;
  }

  /** @param named what was looked for: more may have been named meanwhile */
  assess(assessment: Assessment, named: Incident['named'], now: Date): void {
    const incident = this.#incident;
    if (incident === undefined) return;
    this.#change({ ...assessment, assessed: incident.named.length === named.length });
    const { entities, affected_count: count, affected_more: more } = assessment;
    const text = `${entities.length} entities, ${count}${more ? ' or more' : ''} affected downstream`;
    this.#note('assessed', lily, now.toISOString(), { text });
  }

  /** When the workflow has to look again by itself: the next escalation, or the end of the time in which it may reopen. */
  dueAt(): number | undefined {
    const incident = this.#incident;
    if (incident === undefined) return undefined;
    if (incident.state === 'resolved' && incident.resolved_at !== undefined) {
      return Date.parse(incident.resolved_at) + this.#policy.reopen_minutes * minuteMs;
    }
    return incident.escalates_at === undefined ? undefined : Date.parse(incident.escalates_at);
  }

  /** Whether it is resolved, and for so long that the next report is of a new incident. */
  isOver(now: Date): boolean {
    return this.#incident?.state === 'resolved' && now.getTime() >= (this.dueAt() ?? 0);
  }

  /** Reaches the escalation levels that are due. */
  escalate(now: Date): void {
    const incident = this.#incident;
    if (incident === undefined || incident.state !== 'open') return;
    for (let due = this.dueAt(); due !== undefined && due <= now.getTime(); due = this.dueAt()) {
      const reached = nextLevel(this.#policy, incident.severity, this.#level());
      if (reached === undefined) return;
      this.#change({ escalation_level: this.#level() + 1 });
      this.#notify = [...new Set([...this.#notify, ...reached.notify])];
      const text = `Level ${this.#level()}: nobody acknowledged in ${reached.after_minutes} minutes; told ${reached.notify.join(', ')}`;
      this.#note('escalated', lily, now.toISOString(), { text });
      this.#plan(now);
    }
  }

  /** Whether the action has been done before. One that has not is remembered. */
  isRepeated({ action_id }: IncidentAction): boolean {
    if (this.knows(action_id)) return true;
    this.#actionIds = [...this.#actionIds, action_id].slice(-rememberedActions);
    return false;
  }

  knows(actionId: string): boolean {
    return this.#actionIds.includes(actionId);
  }

  acknowledge({ by, text }: IncidentAction, now: Date): void {
    this.#acknowledge(by, text, now.toISOString());
    this.#plan(now);
  }

  assign({ by, assignee, text }: Assignment, now: Date): void {
    this.#assign(by, assignee, now.toISOString(), text);
  }

  comment({ by, text = '' }: IncidentAction, now: Date): void {
    this.#comment(by, text, now.toISOString());
  }

  /** @param waiting reports that have arrived and were not read yet */
  resolve({ by, text }: IncidentAction, now: Date, waiting: number): void {
    this.#resolve(by, text, now.toISOString(), this.#received + waiting);
    this.#plan(now);
  }

  #open(report: IdentifiedReport, at: string): void {
    const { incidentId, source, key } = this.#request;
    this.#incident = {
      incident_id: incidentId,
      source,
      key,
      title: report.title,
      kind: report.kind,
      severity: report.severity ?? defaultSeverity,
      state: 'open',
      named: report.entities,
      ...nothingFound,
      assessed: report.entities.length === 0,
      ...(report.url !== undefined && { url: report.url }),
      opened_at: at,
      updated_at: at,
      reopened: 0,
      reports: 1,
      comments: 0,
      escalation_level: 0,
    };
    this.#since = at;
    this.#note('opened', report.source, at, wordsOf(report));
  }

  #reopen(report: IdentifiedReport, now: Date): void {
    const {
      resolved_at: _at,
      resolved_by: _by,
      acknowledged_at: _when,
      acknowledged_by: _who,
      ...rest
    } = this.#known();
    this.#incident = { ...rest, state: 'open', reopened: rest.reopened + 1, escalation_level: 0 };
    this.#since = now.toISOString();
    this.#note('reopened', report.source, this.#since, wordsOf(report));
  }

  /** What a later report says of the incident as a whole. */
  #joinReport(before: Incident, report: IdentifiedReport, at: string): void {
    const { severity = before.severity } = report;
    const known = new Set(before.named.map((name) => JSON.stringify(name)));
    const more = report.entities.filter((name) => !known.has(JSON.stringify(name)));
    const named = [...before.named, ...more].slice(0, limits.incidentEntities);
    this.#change({
      title: report.title,
      severity,
      named,
      assessed: before.assessed && named.length === before.named.length,
      reports: before.reports + 1,
      ...(report.url !== undefined && { url: report.url }),
    });
    if (severity !== before.severity) {
      this.#note('severity-changed', report.source, at, { text: `${before.severity} → ${severity}` });
    }
  }

  #acknowledge(by: string, text: string | undefined, at: string): void {
    if (this.#known().state !== 'open') return;
    this.#change({ state: 'acknowledged', acknowledged_at: at, acknowledged_by: by });
    this.#note('acknowledged', by, at, { text });
  }

  #assign(by: string, assignee: string | undefined, at: string, text?: string): void {
    const { assignee: _before, ...rest } = this.#known();
    this.#incident = { ...rest, ...(assignee !== undefined && { assignee }) };
    const said = [`to ${assignee ?? 'nobody'}`, text].filter((part) => part !== undefined).join(': ');
    this.#note('assigned', by, at, { text: said });
  }

  #comment(by: string, text: string, at: string): void {
    this.#change({ comments: this.#known().comments + 1 });
    this.#note('commented', by, at, { text });
  }

  #resolve(by: string, text: string | undefined, at: string, settled: number): void {
    if (this.#known().state === 'resolved') return;
    this.#settled = settled;
    this.#change({ state: 'resolved', resolved_at: at, resolved_by: by });
    this.#note('resolved', by, at, { text });
  }

  #level(): number {
    return this.#known().escalation_level;
  }

  /** Says when the next level is reached, by what holds now. One that is overdue is reached at once. */
  #plan(now: Date): void {
    if (this.#incident === undefined) return;
    const { escalates_at: _before, ...rest } = this.#incident;
    const level = nextLevel(this.#policy, rest.severity, rest.escalation_level);
    if (rest.state !== 'open' || level === undefined) {
      this.#incident = rest;
      return;
    }
    const at = Math.max(Date.parse(this.#since) + level.after_minutes * minuteMs, now.getTime());
    this.#incident = { ...rest, escalates_at: new Date(at).toISOString() };
  }

  #known(): Incident {
    if (this.#incident === undefined) throw new Error('the incident has not been opened');
    return this.#incident;
  }

  #change(change: Partial<Incident>): void {
    this.#incident = { ...this.#known(), ...change };
  }

  #note(
    change: IncidentChange,
    by: string,
    at: string,
    { text, details }: { text?: string | undefined; details?: TimelineEntry['details'] | undefined },
  ): void {
    this.#entries += 1;
    this.#untold.push({
      seq: this.#entries,
      at,
      change,
      by,
      ...(text !== undefined && { text }),
      ...(details !== undefined && { details }),
    });
    this.#change({ updated_at: at });
  }
}

function wordsOf({ title, details }: IdentifiedReport): Pick<TimelineEntry, 'text' | 'details'> {
  return { text: title, ...(details !== undefined && { details }) };
}

const nothingFound: Assessment = {
  entities: [],
  unmatched: [],
  affected: [],
  affected_count: 0,
  affected_more: false,
};
