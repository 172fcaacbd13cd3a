import { randomUUID } from 'node:crypto';
import { LilyError } from '#domain/errors.ts';
import {
  savedSourceContext,
  sourceTestTimeoutMs,
  type SourceTestRequest,
  type SourceTestResult,
} from '#domain/ingestion/saved-source.ts';
import { sourceSchema } from '#domain/ingestion/source.ts';
import type { Sources } from '#platform/mongo/sources.ts';
import type { SecretBox } from '#platform/secret-box.ts';
import { asFailure } from './failures.ts';
import { contextFor, type SourceAccess } from './source.ts';
import { openSource } from './sources/index.ts';

export interface SourceTestDeps extends SourceAccess {
  sources: Pick<Sources, 'get'>;
  secretBox: Pick<SecretBox, 'open'>;
}

export type SourceTestActivities = ReturnType<typeof sourceTestActivities>;

/** The step of `testSource`. */
export function sourceTestActivities(deps: SourceTestDeps) {
  return {
    /** Opens a saved source as a run would. A source that cannot be read is an answer; only a fault of Lily's own is a failure. */
    async checkSource({ tenantId, savedSourceId }: SourceTestRequest): Promise<SourceTestResult> {
      const saved = await deps.sources.get(tenantId, savedSourceId).catch((error: unknown) => {
        throw asFailure(error);
      });
      if (saved === undefined) return { ok: false, reason: 'The source is no longer saved.', latencyMs: 0 };
      const sealed = deps.secretBox.open(saved.sealed_source, savedSourceContext(tenantId, savedSourceId));
      // What a test fetches is for this test only.
      const context = contextFor(deps, tenantId, `test:${randomUUID()}`);
      const source = openSource(sourceSchema.parse(JSON.parse(sealed)), context);
      const startedAt = performance.now();
      const latency = (): number => Math.round(performance.now() - startedAt);
      try {
        await within(sourceTestTimeoutMs, source.check());
        return { ok: true, latencyMs: latency() };
      } catch (error) {
        if (!(error instanceof LilyError) || error.code === 'internal' || error.code === 'unavailable') {
          throw asFailure(error);
        }
        return { ok: false, reason: error.message, latencyMs: latency() };
      } finally {
        // One that hangs may hang here too; nobody waits for it.
        void source.close().catch(() => undefined);
      }
    },
  };
}

async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const reason = `The source did not answer within ${timeoutMs / 1_000} seconds.`;
    timer = setTimeout(() => reject(new LilyError('source-unreachable', reason)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
