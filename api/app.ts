import express, { type Express, type Router } from 'express';
import helmet from 'helmet';
import type { Logger } from '#platform/logger.ts';
import { assetRouter, type AssetDependencies } from './assets/router.ts';
import { traced } from './http/answer.ts';
import { errorHandler, unknownPath } from './http/error-handler.ts';
import { openApiDocument, type Description } from './openapi/document.ts';
import { openApiRouter } from './openapi/router.ts';
import type { Readiness } from './operations/readiness.ts';
import { operationsRouter } from './operations/router.ts';

export interface AppDependencies extends AssetDependencies {
  logger: Logger;
  readiness: () => Promise<Readiness>;
  /** Domains with a router of their own, and what they add to the API's description. */
  domains: { router: Router; description: Description }[];
}

/** The whole API over HTTP. */
export function createApp(dependencies: AppDependencies): Express {
  const app = bareApp();
  app.use(assetRouter(dependencies));
  for (const { router } of dependencies.domains) app.use(router);
  app.use(operationsRouter(dependencies.readiness));
  app.use(openApiRouter(openApiDocument(...dependencies.domains.map(({ description }) => description))));
  return ended(app, dependencies.logger);
}

/** An app with what every answer has in common: no guesses at entity tags, protective headers, a trace. */
export function bareApp(): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.enable('strict routing');
  app.use(traced);
  app.use(helmet({ contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } } }));
  return app;
}

/** Adds what comes last: unknown addresses and errors become problem documents. */
export function ended(app: Express, logger: Logger): Express {
  app.use(unknownPath);
  app.use(errorHandler(logger));
  return app;
}
