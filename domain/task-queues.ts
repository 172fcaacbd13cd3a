/** Temporal task queues. Crawls have their own, so a long crawl never holds up the streaming door. */
export const taskQueues = {
  pipeline: 'lily-pipeline',
  ingestion: 'lily-ingestion',
} as const;

export type TaskQueue = (typeof taskQueues)[keyof typeof taskQueues];
