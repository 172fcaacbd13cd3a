import { randomUUID } from 'node:crypto';
import { addAbortSignal } from 'node:stream';
import { LilyError } from '#domain/errors.ts';
import {
  savedSourceContext,
  sourceTestTimeoutMs,
  type SourceTestRequest,
  type SourceTestResult,
} from '#domain/ingestion/saved-source.ts';
import { sourceSchema } from '#domain/ingestion/source.ts';
import { limits } from '#domain/limits.ts';
import type { Sources } from '#platform/mongo/sources.ts';
import type { ObjectStore } from '#platform/objects/object-store.ts';
import type { SecretBox } from '#platform/secret-box.ts';
import { asFailure } from './failures.ts';
import { PermanentSourceError } from './permanent-source-error.ts';
import { contextFor, type SourceAccess, type SourceContext } from './source.ts';
import { openSource } from './sources/index.ts';

export interface SourceTestDeps extends SourceAccess {
  sources: Pick<Sources, 'get'>;
  secretBox: Pick<SecretBox, 'open'>;
  objects: TestObjects;
}

type TestObjects = SourceContext['objects'] & Pick<ObjectStore, 'remove'>;

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
      const over = new AbortController();
      const [objects, fetched] = objectsOfTest(deps.objects, over.signal);
      const context = contextFor({ ...deps, objects }, tenantId, `test:${randomUUID()}`);
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
        over.abort();
        for (const id of fetched) void deps.objects.remove(tenantId, id).catch(() => undefined);
        // One that hangs may hang here too; nobody waits for it.
        void source.close().catch(() => undefined);
      }
    },
  };
}

/**
 * Where a test keeps contents: smaller ones than a run, none that is on its way when the test is over, and the ids of what it
 * fetched. What it made of a file follows from the content, and the next run finds it.
 */
function objectsOfTest(objects: TestObjects, over: AbortSignal): [SourceContext['objects'], Set<string>] {
  const fetched = new Set<string>();
  const maxBytes = limits.testedFileBytes;
  const put: SourceContext['objects']['put'] = async (tenantId, content, about) => {
    addAbortSignal(over, content);
    const stored = await objects
      .put(tenantId, content, { ...about, maxBytes: Math.min(about.maxBytes, maxBytes) })
      .catch((error: unknown) => {
        if (!(error instanceof LilyError) || error.code !== 'body-too-large') throw error;
        const reason = `The file has more than ${maxBytes} bytes, too many for a test; a run may read it.`;
        throw new PermanentSourceError('source-invalid', reason, { cause: error });
      });
    if (about.key?.startsWith('fetched:') !== true) return stored;
    if (over.aborted) await objects.remove(tenantId, stored.objectId);
    fetched.add(stored.objectId);
    return stored;
  };
  const [stat, find, open] = [objects.stat, objects.find, objects.open];
  return [{ stat, find, open, put }, fetched];
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
