import { Router, type RequestHandler } from 'express';
import { route } from '../http/routes.ts';
import { assetReadHandlers, type ReadDependencies } from './reads.ts';
import { assetWrites, type WriteDependencies } from './writes.ts';

export interface AssetDependencies extends ReadDependencies, WriteDependencies {
  signedIn: RequestHandler;
}

/** Everything that is done with entities over REST. */
export function assetRouter(dependencies: AssetDependencies): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const { signedIn } = dependencies;
  const reads = assetReadHandlers(dependencies);
  const writes = assetWrites(dependencies);

  route(router, '/metadata/:id', {
    get: [signedIn, ...reads.read],
    put: [signedIn, ...writes.replace],
    delete: [signedIn, ...writes.remove],
  });
  route(router, '/ingest-metadata', { post: [signedIn, ...writes.ingest] });
  route(router, '/v1/metadata', { get: [signedIn, ...reads.list] });
  route(router, '/v1/metadata/:id/versions', { get: [signedIn, ...reads.versions] });
  route(router, '/v1/metadata/:id/lineage', { get: [signedIn, ...reads.lineage] });
  route(router, '/v1/records/:id', { get: [signedIn, ...reads.record] });
  return router;
}
