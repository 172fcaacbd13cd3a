import { z } from 'zod';
import { limits } from '../limits.ts';

/** What people call a source that is kept. */
export const savedSourceNameSchema = z
  .string()
  .min(1)
  .max(limits.sourceNameLength)
  .regex(/^[^\p{Cc}]*\S[^\p{Cc}]*$/u, 'must have visible characters, and no control characters')
  .meta({ description: 'What it is called; no two of a tenant have the same name' });

/** Names a saved source for the workflow that tries it. */
export interface SourceTestRequest {
  tenantId: string;
  /** The saved source's id. */
  savedSourceId: string;
}

/** Whether a source can be read. */
export interface SourceTestResult {
  ok: boolean;
  /** Why not, in one sentence without credentials; absent when it can. */
  reason?: string;
  /** Milliseconds until it was known. */
  latencyMs: number;
}

/** Longest that a source is given to answer a test. */
export const sourceTestTimeoutMs = 10_000;

/** One for each source: whoever asks while a test is under way hears of that one. */
export function sourceTestWorkflowId(tenantId: string, savedSourceId: string): string {
  return `test-source:${tenantId}:${savedSourceId}`;
}

/** What the sealed options of a saved source are bound to: copied to another source or tenant, they do not open. */
export function savedSourceContext(tenantId: string, savedSourceId: string): string {
  return `source:${tenantId}:${savedSourceId}`;
}
