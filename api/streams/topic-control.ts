import type { Client } from '@temporalio/client';
import { typedLabels } from '#domain/search-attributes.ts';
import { followTopicWorkflowId, type FollowTopicRequest } from '#domain/streams/topic.ts';
import { taskQueues } from '#domain/task-queues.ts';
import { inTime } from '../http/outage.ts';

export interface TopicControl {
  /** Starts the workflow that follows the topic unless it runs, and tells it to look at the integration's document. */
  look(request: FollowTopicRequest, topic: string): Promise<void>;
}

export function topicControl(temporal: Client): TopicControl {
  return {
    async look(request, topic) {
      const { tenantId, integrationId, name } = request;
      await inTime(
        'Temporal',
        temporal.workflow.signalWithStart('followTopic', {
          workflowId: followTopicWorkflowId(tenantId, name, integrationId),
          taskQueue: taskQueues.ingestion,
          args: [request],
          signal: 'changed',
          typedSearchAttributes: typedLabels({ tenant: tenantId, job: 'followTopic', source: 'kafka', subject: name }),
          staticSummary: `Follows the topic ${topic}`,
          staticDetails: `Integration ${name} of tenant ${tenantId}`,
        }),
      );
    },
  };
}
