import type { Client } from '@temporalio/client';
import { Router, type RequestHandler } from 'express';
import type { Db } from 'mongodb';
import { deadLetters } from '#platform/mongo/dead-letters.ts';
import type { IdempotencyKeys } from '#platform/mongo/idempotency.ts';
import { rawRecords } from '#platform/mongo/raw-records.ts';
import { ruleSets } from '#platform/mongo/rule-sets.ts';
import { transformationJobs } from '#platform/mongo/transformation-jobs.ts';
import { ruleCompiler } from '#platform/rule-compiler.ts';
import type { Description } from '../openapi/document.ts';
import { jobControl } from './jobs/control.ts';
import { jobDescription } from './jobs/openapi.ts';
import { jobRouter } from './jobs/router.ts';
import { JobService } from './jobs/service.ts';
import { letterDescription } from './letters/openapi.ts';
import { letterRouter } from './letters/router.ts';
import { ruleDescription } from './rules/openapi.ts';
import { ruleRouter } from './rules/router.ts';

export interface TransformationDeps {
  db: Db;
  temporal: Client;
  secretKey: Uint8Array;
  signedIn: RequestHandler;
  idempotency: IdempotencyKeys;
}

/** Everything of api/transformation: rules, dead letters, replays and reprocessings. */
export function transformationRouter({ db, temporal, secretKey, signedIn, idempotency }: TransformationDeps): Router {
  const stores = { deadLetters: deadLetters(db), rawRecords: rawRecords(db), jobs: transformationJobs(db) };
  const service = new JobService({ ...stores, control: jobControl(temporal) });
  const router = Router({ caseSensitive: true, strict: true });
  router.use(ruleRouter({ ...stores, signedIn, ruleSets: ruleSets(db), compile: ruleCompiler(secretKey) }));
  router.use(letterRouter({ ...stores, signedIn, idempotency, service }));
  router.use(jobRouter({ signedIn, idempotency, service }));
  return router;
}

export const transformationDescription: Description = {
  paths: { ...ruleDescription.paths, ...letterDescription.paths, ...jobDescription.paths },
  components: { ...ruleDescription.components, ...letterDescription.components, ...jobDescription.components },
};
