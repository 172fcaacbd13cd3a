import type { SourceContext } from '#activities/ingestion/source.ts';

/** For sources that read no stored content, where private addresses are allowed. */
export const sourceContext: SourceContext = {
  tenantId: 'tests',
  runId: 'run',
  objects: {
    find: () => Promise.resolve(undefined),
    put: () => Promise.reject(new Error('this source stores no content')),
    stat: () => Promise.resolve(undefined),
    open: () => Promise.reject(new Error('this source reads no stored content')),
  },
  allowPrivate: true,
  ownKafkaCluster: () => Promise.resolve('of the tests'),
};
