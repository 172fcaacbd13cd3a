/** Every workflow that a worker runs, by the name that the Temporal Web UI shows. */
export { transformBatch } from './transformation/transform-batch.ts';
export { propagateChanges } from './propagation/propagate-changes.ts';
