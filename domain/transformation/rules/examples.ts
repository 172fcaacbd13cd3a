import { ingestRecordSchema, type IngestRecord } from '../../assets/record.ts';
import { differences, sameJson } from '../difference.ts';
import type { RuleOutcome, RuleSet } from './rule-set.ts';
import type { GivenRecord, RuleExample } from './schema.ts';

export interface ExampleResult {
  name: string;
  passed: boolean;
  /** What came instead, when it did not pass. */
  detail?: string;
}

/** The record that an example or a test gives, as it would arrive. */
export function givenRecord({ op = 'upsert', qualified_name, ...given }: GivenRecord): unknown {
  return { op, qualified_name: qualified_name ?? given.attributes?.name, ...given };
}

/** Tries a set of rules on the examples that it carries. */
export function runExamples(rules: RuleSet, examples: readonly RuleExample[]): ExampleResult[] {
  return examples.map((example, index) => {
    const name = example.name ?? `example ${index + 1}`;
    const parsed = ingestRecordSchema.safeParse(givenRecord(example.given));
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      return { name, passed: false, detail: `given.${issue?.path.join('.')}: ${issue?.message}` };
    }
    const detail = unlike(example.expect, rules.apply(parsed.data, 'rest'));
    return detail === undefined ? { name, passed: true } : { name, passed: false, detail };
  });
}

function unlike(expected: RuleExample['expect'], outcome: RuleOutcome): string | undefined {
  if (outcome.kind !== 'kept') {
    const named = outcome.kind === 'dropped' ? expected.dropped : expected.failed;
    if (named === outcome.rule) return undefined;
    return `${outcome.rule} ${outcome.kind === 'dropped' ? 'drops it' : `fails: ${outcome.detail}`}`;
  }
  const rule = expected.dropped ?? expected.failed;
  if (rule !== undefined) return `${rule} lets it pass`;
  for (const field of ['attributes', 'statistics'] as const) {
    const [wanted, found] = [expected[field], outcome.record[field] as IngestRecord['statistics']];
    if (wanted === undefined || sameJson(wanted, found)) continue;
    const [first] = differences(wanted, found, 1);
    return `${field}${first?.path ?? ''} is ${JSON.stringify(first?.after) ?? 'absent'}, not ${JSON.stringify(first?.before) ?? 'absent'}`;
  }
  return undefined;
}
