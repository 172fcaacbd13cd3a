/** Temporal task queues. Crawls have their own, so a long crawl never holds up the streaming door. */
export const taskQueues = {
  pipeline: 'lily-pipeline',
  ingestion: 'lily-ingestion',
  /** Activities that last: each follows a stream for minutes. */
  streams: 'lily-streams',
  /** Apart from the pipeline: an incident is told at once, however much is being ingested. */
  incidents: 'lily-incidents',
} as const;

export type TaskQueue = (typeof taskQueues)[keyof typeof taskQueues];
