import { Router, type RequestHandler } from 'express';
import type { Intake } from '../assets/intake.ts';
import { requireRole } from '../access/sign-in.ts';
import { route } from '../http/routes.ts';
import { eventHandlers } from './events.ts';
import { lineageReads, type LineageReadDeps } from './reads.ts';

export interface OpenLineageDeps extends LineageReadDeps {
  signedIn: RequestHandler;
  intake: Intake;
}

const reader = requireRole('reader');
const editor = requireRole('editor');

/** OpenLineage in, and lineage out as clients of Marquez expect it. */
export function openLineageRouter(deps: OpenLineageDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const { signedIn } = deps;
  const events = eventHandlers(deps.intake);
  const reads = lineageReads(deps);
  const read = (handler: RequestHandler): RequestHandler[] => [signedIn, reader, handler];

  route(router, '/api/v1/lineage', { post: [signedIn, editor, ...events.one], get: read(reads.graph) });
  route(router, '/api/v1/lineage/batch', { post: [signedIn, editor, ...events.batch] });

  route(router, '/api/v1/namespaces', { get: read(reads.namespaces) });
  route(router, '/api/v1/jobs', { get: read(reads.list('job')) });
  route(router, '/api/v1/jobs/runs/:id', { get: read(reads.run) });
  route(router, '/api/v1/namespaces/:namespace/jobs', { get: read(reads.list('job')) });
  route(router, '/api/v1/namespaces/:namespace/jobs/:job', { get: read(reads.get('job')) });
  route(router, '/api/v1/namespaces/:namespace/jobs/:job/runs', { get: read(reads.jobRuns) });
  route(router, '/api/v1/namespaces/:namespace/datasets', { get: read(reads.list('dataset')) });
  route(router, '/api/v1/namespaces/:namespace/datasets/:dataset', { get: read(reads.get('dataset')) });

  route(router, '/v1/lineage-runs', { get: read(reads.listRuns) });
  route(router, '/v1/lineage-runs/:id', { get: read(reads.getRun) });
  return router;
}
