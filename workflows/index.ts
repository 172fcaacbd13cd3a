/** Every workflow that a worker runs, by the name that the Temporal Web UI shows. */
export { backfillSchedule } from './ingestion/backfill-schedule.ts';
export { fireSchedule } from './ingestion/fire-schedule.ts';
export { handleIncident } from './incidents/handle-incident.ts';
export { ingestSource } from './ingestion/ingest-source.ts';
export { previewSource } from './ingestion/preview-source.ts';
export { testSource } from './ingestion/test-source.ts';
export { propagateChanges } from './propagation/propagate-changes.ts';
export { replayDeadLetters } from './transformation/replay-dead-letters.ts';
export { reprocessRawRecords } from './transformation/reprocess-raw-records.ts';
export { transformBatch } from './transformation/transform-batch.ts';
export { followTopic } from './streams/follow-topic.ts';
