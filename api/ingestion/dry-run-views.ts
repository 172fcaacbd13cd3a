import { z } from 'zod';
import { dryRunOutcomes, dryRunStates } from '#domain/ingestion/dry-run.ts';
import { limits } from '#domain/limits.ts';
import type { DryRunReport } from './dry-run-service.ts';

const count = z.int().min(0);
const time = z.iso.datetime();

const findingSchema = z.object({
  outcome: z.enum(dryRunOutcomes),
  place: z.string().optional().meta({ description: 'Where the record stands, such as `row 17`' }),
  metadata_id: z.string().optional(),
  entity_type: z.string().optional(),
  qualified_name: z.string().optional(),
  changed_fields: z.array(z.string()).optional().meta({ description: 'Of what would be updated' }),
  detail: z.string().optional().meta({ description: 'Why it would be rejected, with its row' }),
});

/** A dry run as the API shows it. */
export const dryRunViewSchema = z
  .object({
    dry_run_id: z.uuid(),
    state: z.enum(dryRunStates),
    source_id: z.string(),
    source: z.looseObject({ type: z.string() }),
    counts: z.object({
      read: count,
      created: count,
      updated: count,
      deleted: count,
      unchanged: count,
      rejected: count,
    }),
    findings: z
      .array(findingSchema)
      .meta({ description: `The first ${limits.dryRunFindings} of each outcome; \`counts\` has all of them` }),
    progress: z.object({ done: count, total: count }).nullable(),
    reason: z.string().nullable().meta({ description: 'Why it failed, or why nothing would be deleted' }),
    workflow_id: z.string(),
    started_by: z.string(),
    started_at: time,
    ended_at: time.nullable(),
  })
  .meta({ id: 'DryRun', description: 'What a run would do. Nothing of it is written' });

export function dryRunView({ dryRun, counts, findings }: DryRunReport): z.infer<typeof dryRunViewSchema> {
  return {
    dry_run_id: dryRun._id,
    state: dryRun.state,
    source_id: dryRun.source_id,
    source: dryRun.source,
    counts,
    findings,
    progress: dryRun.progress ?? null,
    reason: dryRun.reason ?? null,
    workflow_id: dryRun.workflow_id,
    started_by: dryRun.actor,
    started_at: dryRun.started_at.toISOString(),
    ended_at: dryRun.ended_at?.toISOString() ?? null,
  };
}
