import type { SourceContext } from '#activities/ingestion/source.ts';

/** For sources that read no stored content, where private addresses are allowed. */
export const sourceContext: SourceContext = {
  tenantId: 'tests',
  objects: {
    stat: () => Promise.resolve(undefined),
    open: () => Promise.reject(new Error('this source reads no stored content')),
  },
  allowPrivate: true,
};
