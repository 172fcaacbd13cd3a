import { setImmediate as breathe } from 'node:timers/promises';
import type { Json } from '#domain/assets/entity.ts';
import { ingestRecordSchema, type IngestRecord } from '#domain/assets/record.ts';
import type { Door } from '#domain/transformation/batch.ts';
import { differences } from '#domain/transformation/difference.ts';
import type { RuleSet } from '#domain/transformation/rules/rule-set.ts';
import type { RuleTrial } from './schemas.ts';

/** A record to try rules on. */
export interface Candidate {
  /** Absent for a record that was given in the request. */
  recordId?: string;
  door: Door;
  /** A record as it arrived: JSON, or a parsed value. */
  body: { text: string } | { value: unknown };
}

type Result = RuleTrial['results'][number];

const mostDifferences = 50;
/** Records that are larger are shown by their differences only. */
const shownBytes = 16 * 1024;

/** Shows what rules would do to records; nothing is kept. Others get their turn between two records. */
export async function tryRules(rules: RuleSet, candidates: readonly Candidate[]): Promise<Result[]> {
  const results: Result[] = [];
  for (const candidate of candidates) {
    results.push(tryOne(rules, candidate));
    await breathe();
  }
  return results;
}

function tryOne(rules: RuleSet, { recordId, door, body }: Candidate): Result {
  const base = { record_id: recordId ?? null, changed_by: [], changes: [] };
  const read = parse(body);
  if ('fault' in read) return { ...base, outcome: 'invalid', detail: read.fault };
  const { record } = read;
  const outcome = rules.apply(record, door);
  const before = shown(record);
  const seen = { ...base, changed_by: outcome.changedBy, ...(before !== undefined && { before }) };
  if (outcome.kind === 'dropped') return { ...seen, outcome: 'dropped', rule: outcome.rule };
  if (outcome.kind === 'failed') return { ...seen, outcome: 'failed', rule: outcome.rule, detail: outcome.detail };
  const changes = differences(record as Json, outcome.record as Json, mostDifferences);
  if (changes.length === 0) return { ...seen, outcome: 'unchanged' };
  const after = shown(outcome.record);
  return { ...seen, outcome: 'changed', changes, ...(after !== undefined && { after }) };
}

function parse(body: Candidate['body']): { record: IngestRecord } | { fault: string } {
  let value: unknown;
  try {
    value = 'text' in body ? (JSON.parse(body.text) as unknown) : body.value;
  } catch {
    return { fault: 'It is not JSON' };
  }
  const parsed = ingestRecordSchema.safeParse(value);
  if (parsed.success) return { record: value as IngestRecord };
  const [issue] = parsed.error.issues;
  return { fault: `${issue?.path.join('.') || 'record'}: ${issue?.message ?? 'is not valid'}` };
}

function shown(record: IngestRecord): Json | undefined {
  return JSON.stringify(record).length <= shownBytes ? (record as Json) : undefined;
}
