import type { Client } from '@temporalio/client';
import { Router, type RequestHandler } from 'express';
import type { Db } from 'mongodb';
import type { Config } from '#platform/config.ts';
import type { IdempotencyKeys } from '#platform/mongo/idempotency.ts';
import { dryRuns } from '#platform/mongo/dry-runs.ts';
import { runs } from '#platform/mongo/runs.ts';
import { schedules } from '#platform/mongo/schedules.ts';
import { sources } from '#platform/mongo/sources.ts';
import { objectStore } from '#platform/objects/object-store.ts';
import { secretBox } from '#platform/secret-box.ts';
import { dryRunControl } from './dry-run-control.ts';
import { dryRunRouter } from './dry-run-router.ts';
import { DryRunService } from './dry-run-service.ts';
import { ingestionRouter } from './router.ts';
import { runControl } from './run-control.ts';
import { RunService } from './run-service.ts';
import { scheduleControl } from './schedule-control.ts';
import { scheduleRouter } from './schedule-router.ts';
import { ScheduleService } from './schedule-service.ts';
import { sourceRouter } from './source-router.ts';
import { SourceService } from './source-service.ts';
import { sourceTests } from './source-tests.ts';

export interface IngestionApiDeps {
  config: Pick<Config, 'secretKey' | 'allowPrivateSources' | 'runsPerTenant'>;
  db: Db;
  temporal: Client;
  signedIn: RequestHandler;
  idempotency: IdempotencyKeys;
}

/** Named in the refusal to delete a source that schedules read. */
const schedulesNamed = 5;

/** Puts together what the API says of ingestion: runs, saved sources and schedules. */
export function ingestionRouters({ config, db, temporal, signedIn, idempotency }: IngestionApiDeps): Router {
  const { allowPrivateSources, runsPerTenant } = config;
  const common = { secretBox: secretBox(config.secretKey), allowPrivateSources };
  const plans = schedules(db);
  const sourceService = new SourceService({
    ...common,
    sources: sources(db),
    sourceTests: sourceTests(temporal),
    schedulesOf: (tenantId, source) => plans.list(tenantId, { source, limit: schedulesNamed }),
  });
  const runService = new RunService(
    { ...common, runs: runs(db), control: runControl(temporal), runsPerTenant },
    sourceService,
  );
  const objects = objectStore(db);
  const dryRunService = new DryRunService({
    ...common,
    dryRuns: dryRuns(db),
    control: dryRunControl(temporal),
    sources: sourceService,
  });
  const scheduleService = new ScheduleService({
    schedules: plans,
    control: scheduleControl(temporal),
    runs: runs(db),
    sources: sourceService,
  });
  return Router({ caseSensitive: true, strict: true }).use(
    ingestionRouter({ runs: runService, dryRuns: dryRunService, objects, signedIn, idempotency }),
    dryRunRouter({ dryRuns: dryRunService, signedIn }),
    sourceRouter({ sources: sourceService, signedIn, idempotency }),
    scheduleRouter({ schedules: scheduleService, signedIn, idempotency }),
  );
}
