import { limits } from '#domain/limits.ts';
import { followedTopicSchema } from '#domain/streams/topic.ts';
import type { Description } from '../openapi/document.ts';
import { answers, jsonRequest, operation, pathParameter } from '../openapi/operation.ts';
import { schemaComponents, schemaRef } from '../openapi/schema-components.ts';
import { topicDetailSchema, topicListSchema, topicViewSchema } from './topic-schemas.ts';

const name = pathParameter('name', 'What you call it');
const example = {
  brokers: ['kafka-1.example.org:9093', 'kafka-2.example.org:9093'],
  topic: 'warehouse.tables',
  from: 'earliest',
  tls: true,
  sasl: { mechanism: 'scram-sha-512', username: 'lily', password: 'secret' },
  mapping: { entity_type: { value: 'table' }, qualified_name: '/table/path', attributes: { name: '/table/name' } },
};

/** What the followed topics of api/streams add to the API's description. */
export const topicDescription: Description = {
  paths: {
    '/v1/integrations/topics': {
      get: operation({
        id: 'listTopics',
        tag: 'streams',
        role: 'reader',
        summary: 'The Kafka topics that are followed',
        responses: { 200: answers('All of them, by name', 'FollowedTopicList') },
        problems: ['invalid-input'],
      }),
    },
    '/v1/integrations/topics/{name}': {
      get: operation({
        id: 'getTopic',
        tag: 'streams',
        role: 'reader',
        summary: 'A followed topic: how far it is read, partition by partition, and what is wrong',
        parameters: [name],
        responses: { 200: answers('The topic', 'FollowedTopicDetail') },
        problems: ['not-found', 'invalid-input'],
      }),
      put: operation({
        id: 'putTopic',
        tag: 'streams',
        role: 'operator',
        summary: 'Follow a topic of your Kafka, or change how it is followed',
        description: [
          'A workflow reads it for as long as it is registered. Each message, an object or a list of them in JSON, becomes records by the mapping; one that cannot becomes a dead letter that says its partition and offset.',
          'Every message is applied once, whatever fails. A topic that is deleted and made anew is another topic, and is read from its beginning.',
          `The topic and its beginning cannot be changed. No consumer group is used. Credentials are sealed, and never shown again. At most ${limits.followedTopicsPerTenant} topics a tenant.`,
        ].join('\n\n'),
        parameters: [name],
        body: jsonRequest(schemaRef('PutTopic'), { 'a topic': example }),
        responses: {
          200: answers('The topic as it is now', 'FollowedTopicDetail'),
          201: answers('The topic is followed', 'FollowedTopicDetail'),
        },
        problems: [
          ...(['invalid-input', 'malformed-json', 'body-too-large', 'unsupported-media-type', 'conflict'] as const),
          ...(['source-unreachable', 'source-refused'] as const),
        ],
      }),
      delete: operation({
        id: 'deleteTopic',
        tag: 'streams',
        role: 'operator',
        summary: 'Follow a topic no further',
        description: 'What was read stays. One of the same name later begins by itself.',
        parameters: [name],
        responses: { 204: { description: 'It is followed no further' } },
        problems: ['not-found', 'invalid-input'],
      }),
    },
    '/v1/integrations/topics/{name}/pause': {
      post: operation({
        id: 'pauseTopic',
        tag: 'streams',
        role: 'operator',
        summary: 'Read a topic no further for now',
        description: 'What is being read goes to its end, within seconds.',
        parameters: [name],
        responses: { 200: answers('The topic as it is now', 'FollowedTopicDetail') },
        problems: ['not-found', 'invalid-input'],
      }),
    },
    '/v1/integrations/topics/{name}/resume': {
      post: operation({
        id: 'resumeTopic',
        tag: 'streams',
        role: 'operator',
        summary: 'Go on where a topic was paused',
        parameters: [name],
        responses: { 200: answers('The topic as it is now', 'FollowedTopicDetail') },
        problems: ['not-found', 'invalid-input'],
      }),
    },
  },
  components: {
    ...schemaComponents({ PutTopic: followedTopicSchema }, 'input'),
    ...schemaComponents(
      { FollowedTopic: topicViewSchema, FollowedTopicDetail: topicDetailSchema, FollowedTopicList: topicListSchema },
      'output',
    ),
  },
};
