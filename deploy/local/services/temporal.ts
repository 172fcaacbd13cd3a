import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { stackAddresses, TEMPORAL_NAMESPACE } from '../environment.ts';
import { needsTemporalBuild, provisionTemporal, temporalCommand } from '../provision/temporal.ts';
import { goTool } from '../provision/tools.ts';
import type { Service } from './service.ts';

/** By these every workflow is found: the tenant, the kind of job, the source, and what it is about. */
const SEARCH_ATTRIBUTES = ['LilyTenant', 'LilyJob', 'LilySource', 'LilySubject'] as const;

/** A write-ahead log survives a killed process, and needs no flush to the disk for each commit. */
const SQLITE_PRAGMAS = ['journal_mode=WAL', 'synchronous=NORMAL'] as const;

/**
 * The server looks for new tasks at most 20 times a second for each history shard, and the development server has one
 * shard: every step of every workflow waits up to 50 ms. Without that limit three activities in sequence take 45 ms
 * instead of 350 ms.
 */
const DYNAMIC_CONFIG = ['history.transferProcessorMaxPollRPS=1000', 'history.timerProcessorMaxPollRPS=200'] as const;

export const temporal: Service = {
  name: 'temporal',
  title: 'Temporal',
  after: [],
  ports: ['temporal', 'temporalUi'],
  tools: async () => ((await needsTemporalBuild()) ? [goTool()] : []),
  async provision(progress) {
    await provisionTemporal(progress);
  },
  async plan({ paths, ports }) {
    const folder = join(paths.data, 'temporal');
    mkdirSync(folder, { recursive: true });
    return {
      command: await temporalCommand(),
      // prettier-ignore
      args: ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(ports.temporal), '--ui-port', String(ports.temporalUi),
        '--db-filename', join(folder, 'temporal.db'), '--log-level', 'warn',
        ...SEARCH_ATTRIBUTES.flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
        ...SQLITE_PRAGMAS.flatMap((pragma) => ['--sqlite-pragma', pragma]),
        ...DYNAMIC_CONFIG.flatMap((setting) => ['--dynamic-config-value', setting])],
      cwd: folder,
    };
  },
  async check(context) {
    const { Connection } = await import('@temporalio/client');
    const connection = await Connection.connect({
      address: stackAddresses(context).temporal,
      connectTimeout: 2000,
    });
    try {
      await connection.withDeadline(Date.now() + 3000, async () => {
        await connection.healthService.check({ service: 'temporal.api.workflowservice.v1.WorkflowService' });
        await connection.workflowService.describeNamespace({ namespace: TEMPORAL_NAMESPACE });
      });
    } finally {
      await connection.close();
    }
  },
  address: (context) => stackAddresses(context).temporal,
  startTimeoutMs: 60_000,
  graceMs: 15_000,
};
