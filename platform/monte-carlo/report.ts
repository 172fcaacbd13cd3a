import { z } from 'zod';
import type { Json } from '#domain/assets/entity.ts';
import type { IncidentReport, Severity } from '#domain/incidents/incident.ts';
import { limits } from '#domain/limits.ts';
import type { PyValue } from './python-json.ts';

/** What is read of a webhook. Monte Carlo adds fields as it pleases; what has another form than we know is left out. */
const text = z.string().min(1).nullish().catch(undefined);

const webhookSchema = z.looseObject({
  type: text,
  version: text,
  payload: z.looseObject({
    incident_id: text,
    alert_id: text,
    url: z
      .url({ protocol: /^https?$/ })
      .max(2_048)
      .nullish()
      .catch(undefined),
    alert_feedback: text,
    declared_alert_severity: text,
    owner: text,
    comment: text,
    event_list: z.array(z.unknown()).nullish().catch(undefined),
  }),
});

/** `alert_feedback` that says that it is over, and that somebody has taken it. */
const over = new Set(['fixed', 'expected', 'no_action_needed', 'false_positive']);
const taken = new Set(['investigating', 'work_in_progress']);

const severityOf: Readonly<Record<string, Severity>> = {
  'SEV-1': 'critical',
  'SEV-2': 'high',
  'SEV-3': 'medium',
  'SEV-4': 'low',
};

/** Where the name of a table stands, the most precise first. */
const nameKeys = ['full_table_id', 'table_name'];
/** Values looked at in search of names. */
const mostLookedAt = 50_000;
/** Bytes of the webhook that are kept with the report. */
const detailBytes = 32 * 1024;

/** Whose webhook it says that it is: `account.id`, at the top or in the payload. To be believed only when its signature holds. */
export function accountOf(body: ReadonlyMap<string, PyValue>): string | undefined {
  for (const holder of [body, body.get('payload')]) {
    const account = holder instanceof Map ? (holder as Map<string, PyValue>).get('account') : undefined;
    const id = account instanceof Map ? account.get('id') : undefined;
    if (typeof id === 'string' && id !== '') return id;
  }
  return undefined;
}

/**
 * What a webhook reports; undefined when it is about no incident.
 * @param reportId the same for the same webhook: nothing in it is a time stamp
 */
export function reportOf(
  body: ReadonlyMap<string, PyValue>,
  reportId: string,
  receivedAt: Date,
): IncidentReport | undefined {
  const json = jsonOf(body);
  const parsed = webhookSchema.safeParse(json);
  if (!parsed.success) return undefined;
  const { type, payload } = parsed.data;
  const key = payload.incident_id ?? payload.alert_id;
  if (key == null || Buffer.byteLength(key) > limits.incidentKeyBytes) return undefined;
  const events = payload.event_list ?? [];
  const kind =
    (type ?? 'incident')
      .replace(/^open_/, '')
      .replace(/_incident$/, '')
      .slice(0, 128) || 'incident';
  const entities = namesIn(events);
  const feedback = payload.alert_feedback ?? '';
  const severity = severityOf[payload.declared_alert_severity ?? ''];
  return {
    report_id: reportId,
    source: 'monte-carlo',
    key,
    title: titleOf(kind, events, entities).slice(0, limits.nameLength),
    kind,
    entities,
    occurred_at: receivedAt.toISOString(),
    status: over.has(feedback) ? 'resolved' : 'open',
    details: detailsOf(json),
    ...(severity !== undefined && { severity }),
    ...(taken.has(feedback) && { acknowledged: true as const }),
    ...(payload.owner != null && { assignee: payload.owner.slice(0, limits.nameLength) }),
    ...(payload.comment != null && { comment: payload.comment.slice(0, limits.incidentCommentLength) }),
    ...(payload.url != null && { url: payload.url }),
  };
}

function titleOf(kind: string, events: readonly unknown[], tables: readonly string[]): string {
  const rule = valueAt(events[0], 'rule');
  const description = valueAt(rule, 'description');
  if (typeof description === 'string' && description !== '') return description;
  const words = kind.replaceAll('_', ' ');
  return tables[0] === undefined ? words : `${words}: ${tables[0]}`;
}

/** The tables that are named anywhere in the events; one name for each place, the most precise that is there. */
function namesIn(events: readonly unknown[]): string[] {
  const names = new Set<string>();
  const stack: unknown[] = [...events];
  for (let looked = 0; stack.length > 0 && looked < mostLookedAt; looked += 1) {
    const value = stack.pop();
    if (typeof value !== 'object' || value === null) continue;
    const name = nameKeys.map((key) => valueAt(value, key)).find((found) => typeof found === 'string' && found !== '');
    if (typeof name === 'string' && name.length <= limits.qualifiedNameLength && !name.includes('\0')) names.add(name);
    stack.push(...Object.values(value));
  }
  return [...names].slice(0, limits.incidentEntities);
}

function valueAt(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

/** The webhook itself where it is small; else what there is in it. */
function detailsOf(json: { [key: string]: Json }): { [key: string]: Json } {
  if (Buffer.byteLength(JSON.stringify(json)) <= detailBytes) return json;
  const payload = json['payload'] as { [key: string]: Json };
  const events = Array.isArray(payload['event_list']) ? payload['event_list'].length : 0;
  return { left_out: `The webhook has more than ${detailBytes} bytes`, events };
}

/** As JSON that JavaScript can hold; whole numbers that it cannot hold exactly become text. */
function jsonOf(body: ReadonlyMap<string, PyValue>): { [key: string]: Json } {
  return Object.fromEntries(
    [...body].filter(([key]) => key !== '__proto__').map(([key, value]) => [key, valueOf(value)]),
  );
}

function valueOf(value: PyValue): Json {
  if (typeof value === 'bigint') {
    return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  }
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value === 'string') return value.toWellFormed();
  if (Array.isArray(value)) return value.map(valueOf);
  return value instanceof Map ? jsonOf(value) : value;
}
