import { Router, type RequestHandler } from 'express';
import { LilyError } from '#domain/errors.ts';
import { requireRole } from '../access/sign-in.ts';
import { sendJson } from '../http/answer.ts';
import { pathParameter, principalOf } from '../http/locals.ts';
import { noQuery } from '../http/query.ts';
import { route } from '../http/routes.ts';
import type { DryRunService } from './dry-run-service.ts';
import { dryRunView } from './dry-run-views.ts';
import { isId } from './views.ts';

/** What runs would do: look, and end one that takes long. They are started as runs are, with `dry_run`. */
export function dryRunRouter({ dryRuns, signedIn }: { dryRuns: DryRunService; signedIn: RequestHandler }): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const answering =
    (ask: (tenantId: string, dryRunId: string) => ReturnType<DryRunService['report']>): RequestHandler =>
    async (request, response) => {
      noQuery(request);
      const id = pathParameter(request, 'id');
      if (!isId(id)) throw new LilyError('not-found', 'There is no such dry run.');
      response.setHeader('Cache-Control', 'private, no-cache');
      sendJson(response, 200, dryRunView(await ask(principalOf(response).tenantId, id)));
    };
  const get = answering((tenantId, id) => dryRuns.report(tenantId, id));
  const cancel = answering((tenantId, id) => dryRuns.cancel(tenantId, id));
  route(router, '/v1/dry-runs/:id', { get: [signedIn, requireRole('reader'), get] });
  route(router, '/v1/dry-runs/:id/cancel', { post: [signedIn, requireRole('operator'), cancel] });
  return router;
}
