import { z } from 'zod';
import { doors } from '#domain/transformation/batch.ts';
import { deadLetterReasons } from '#domain/transformation/dead-letter.ts';
import { ruleSetSchema } from '#domain/transformation/rules/schema.ts';
import { pageLimit } from '../paging.ts';

/** Records that one trial takes. */
export const mostTried = 100;

export const rulesQuery = z.strictObject({
  limit: pageLimit('Versions on one page'),
  cursor: z.string().max(128).optional().meta({ description: 'The `next_cursor` of the page before' }),
});

const example = ruleSetSchema.shape.tests.unwrap().element;

/** Body of `POST /v1/transformation-rules/{version}/test`. */
export const tryRulesSchema = z
  .strictObject({
    records: z
      .array(example.shape.given)
      .max(mostTried)
      .optional()
      .meta({ description: 'Records as they would arrive' }),
    sample: z
      .strictObject({
        from: z.enum(['raw-records', 'dead-letters']),
        limit: z.int().min(1).max(mostTried).default(20),
        door: z.enum(doors).optional(),
        reason: z.enum(deadLetterReasons).optional().meta({ description: 'Only dead letters with this reason' }),
      })
      .optional()
      .meta({ description: 'The newest that arrived' }),
  })
  .meta({ id: 'TryRules' });

const time = z.iso.datetime();
const count = z.int().min(0);

export const ruleSetSummarySchema = z
  .object({
    version: z.int().min(1),
    state: z
      .enum(['draft', 'active', 'retired'])
      .meta({ description: '`draft`: never switched on; `retired`: it was active once' }),
    rules: count,
    created_at: time,
    created_by: z.string(),
  })
  .meta({ id: 'RuleSetSummary' });

export const ruleSetViewSchema = ruleSetSummarySchema
  .extend({ definition: ruleSetSchema.meta({ id: 'RuleSetDefinition' }) })
  .meta({ id: 'RuleSet' });

export const ruleSetListSchema = z
  .object({
    active_version: z.int().nullable(),
    items: z.array(ruleSetSummarySchema),
    history: z
      .array(z.object({ version: z.int(), at: time, by: z.string() }))
      .meta({ description: 'What was switched on when and by whom, the newest first' }),
    next_cursor: z.string().nullable(),
  })
  .meta({ id: 'RuleSetList' });

const differenceSchema = z.object({
  path: z.string().meta({ description: 'A JSON pointer into the record' }),
  before: z.json().optional(),
  after: z.json().optional(),
});

export const trialSchema = z
  .object({
    passed: z.boolean().meta({ description: 'Whether all examples of the version hold' }),
    tests: z.array(z.object({ name: z.string(), passed: z.boolean(), detail: z.string().optional() })),
    counts: z.object({ unchanged: count, changed: count, dropped: count, failed: count, invalid: count }),
    results: z.array(
      z.object({
        record_id: z.string().nullable().meta({ description: 'Null for a record of the request' }),
        outcome: z.enum(['unchanged', 'changed', 'dropped', 'failed', 'invalid']),
        rule: z.string().optional().meta({ description: 'The rule that drops it or fails on it' }),
        detail: z.string().optional(),
        changed_by: z.array(z.object({ rule: z.string(), kind: z.string() })),
        changes: z.array(differenceSchema),
        before: z.json().optional(),
        after: z.json().optional(),
      }),
    ),
  })
  .meta({ id: 'RuleTrial' });

export type RuleSetSummary = z.infer<typeof ruleSetSummarySchema>;
export type RuleTrial = z.infer<typeof trialSchema>;
export type TryRules = z.infer<typeof tryRulesSchema>;
