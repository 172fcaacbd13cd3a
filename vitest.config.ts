import { defineConfig } from 'vitest/config';

const layers = ['domain', 'platform', 'activities', 'workflows', 'workers', 'api', 'deploy', 'bench'];
const minuteMs = 60_000;
/** Of properties over thousands of cases, on a machine that is busy with something else. */
const unitTimeoutMs = 30_000;

/** Projects that share one stack of genuine servers run file after file, so that one's load is not another's timeout. */
const onTheStack = {
  fileParallelism: false,
  globalSetup: 'test/support/stack-setup.ts',
  testTimeout: minuteMs,
  hookTimeout: 2 * minuteMs,
};

export default defineConfig({
  test: {
    // The runner says when nothing ran at all; a project may be empty while it is being built.
    passWithNoTests: true,
    environment: 'node',
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [...layers, 'test/support'].map((folder) => `${folder}/**/*.test.ts`),
          testTimeout: unitTimeoutMs,
        },
      },
      {
        extends: true,
        test: {
          name: 'workflows',
          include: ['test/workflows/**/*.test.ts', 'workflows/**/*.workflow-test.ts'],
          globalSetup: 'test/support/workflows-setup.ts',
          fileParallelism: false,
          testTimeout: minuteMs,
          hookTimeout: minuteMs,
        },
      },
      {
        extends: true,
        test: {
          name: 'replay',
          include: ['test/replay/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: minuteMs,
          hookTimeout: minuteMs,
        },
      },
      { extends: true, test: { name: 'integration', include: ['test/integration/**/*.test.ts'], ...onTheStack } },
      { extends: true, test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], ...onTheStack } },
      { extends: true, test: { name: 'compose', include: ['test/compose/**/*.test.ts'] } },
    ],
  },
});
