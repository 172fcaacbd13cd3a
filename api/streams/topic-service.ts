import { randomUUID } from 'node:crypto';
import type { Principal } from '#domain/access/principal.ts';
import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { followTopicWorkflowId, type FollowedTopic } from '#domain/streams/topic.ts';
import { resolveAllowed } from '#platform/address-guard.ts';
import type { FollowedTopicDoc, FollowedTopics } from '#platform/mongo/followed-topics.ts';
import type { SecretBox } from '#platform/secret-box.ts';
import { inTime } from '../http/outage.ts';
import type { TopicControl } from './topic-control.ts';
import type { TopicDetail, TopicView } from './topic-schemas.ts';
import { topicDetail, topicView } from './topic-views.ts';

export interface TopicServiceDeps {
  topics: Omit<FollowedTopics, 'begin' | 'noteRead' | 'noteError' | 'place' | 'move'>;
  control: TopicControl;
  secretBox: Pick<SecretBox, 'seal'>;
  allowPrivateSources: boolean;
}

/**
 * Registers, changes and removes the topics that are followed. What people want is written down first, and then told to
 * the workflow: should the second be lost, whoever reads the topic finds the first within a second.
 */
export class TopicService {
  readonly #deps: TopicServiceDeps;

  constructor(deps: TopicServiceDeps) {
    this.#deps = deps;
  }

  /** @throws LilyError `source-refused`, `source-unreachable` for an address; `conflict` for another topic under a name that is taken */
  async put(
    { tenantId, userId }: Principal,
    name: string,
    wanted: FollowedTopic,
  ): Promise<{ topic: TopicDetail; isNew: boolean }> {
    await this.#checkAddresses(wanted.brokers);
    const { topics } = this.#deps;
    const known = await inTime('MongoDB', topics.named(tenantId, name));
    if (known !== undefined) {
      if (known.topic !== wanted.topic || known.from !== wanted.from) {
        const field = known.topic === wanted.topic ? '/from' : '/topic';
        throw new LilyError(
          'conflict',
          'The name stands for another topic or beginning; delete it, or take another name',
          {
            field,
          },
        );
      }
      const changed = await inTime('MongoDB', topics.change(tenantId, known._id, this.#settings(known._id, wanted)));
      if (changed === undefined) throw gone();
      return { topic: await this.#told(changed), isNew: false };
    }
    if ((await inTime('MongoDB', topics.count(tenantId))) >= limits.followedTopicsPerTenant) {
      throw new LilyError('conflict', `A tenant may have ${limits.followedTopicsPerTenant} topics followed`);
    }
    const id = randomUUID();
    const now = new Date();
    const { sasl, mapping, ...settings } = this.#settings(id, wanted);
    const topic: FollowedTopicDoc = {
      _id: id,
      tenant_id: tenantId,
      name,
      topic: wanted.topic,
      from: wanted.from,
      ...settings,
      ...(sasl && { sasl }),
      ...(mapping !== undefined && { mapping }),
      paused: false,
      revision: 1,
      rate: 0,
      workflow_id: followTopicWorkflowId(tenantId, name, id),
      created_by: userId,
      created_at: now,
      updated_at: now,
    };
    if (!(await inTime('MongoDB', topics.insert(topic)))) {
      throw new LilyError('conflict', 'The name has been taken in this very moment');
    }
    return { topic: await this.#told(topic), isNew: true };
  }

  async list(tenantId: string): Promise<TopicView[]> {
    const { topics } = this.#deps;
    const found = await inTime('MongoDB', topics.list(tenantId));
    const partitions = await inTime('MongoDB', Promise.all(found.map(({ _id }) => topics.partitions(tenantId, _id))));
    return found.map((topic, index) => topicView(topic, partitions[index] ?? []));
  }

  async get(tenantId: string, name: string): Promise<TopicDetail> {
    return this.#detail(await this.#find(tenantId, name));
  }

  /** Also starts the workflow again, should somebody have ended it from outside. */
  async setPaused(tenantId: string, name: string, paused: boolean): Promise<TopicDetail> {
    const { _id: id } = await this.#find(tenantId, name);
    const changed = await inTime('MongoDB', this.#deps.topics.change(tenantId, id, { paused }));
    if (changed === undefined) throw gone();
    return this.#told(changed);
  }

  async remove(tenantId: string, name: string): Promise<void> {
    const topic = await this.#find(tenantId, name);
    await inTime('MongoDB', this.#deps.topics.remove(tenantId, topic._id));
    // Whoever reads it ends by itself when it finds the integration gone; this only makes it sooner.
    await this.#tell(topic).catch(() => undefined);
  }

  async #find(tenantId: string, name: string): Promise<FollowedTopicDoc> {
    const found = await inTime('MongoDB', this.#deps.topics.named(tenantId, name));
    if (found === undefined) throw gone();
    return found;
  }

  async #told(topic: FollowedTopicDoc): Promise<TopicDetail> {
    await this.#tell(topic);
    return this.#detail(topic);
  }

  async #tell({ tenant_id: tenantId, _id: integrationId, name, topic }: FollowedTopicDoc): Promise<void> {
    await this.#deps.control.look({ tenantId, integrationId, name }, topic);
  }

  async #detail(topic: FollowedTopicDoc): Promise<TopicDetail> {
    const partitions = await inTime('MongoDB', this.#deps.topics.partitions(topic.tenant_id, topic._id));
    return topicDetail(topic, partitions);
  }

  /** What may be changed later too. Secrets are sealed for this integration. */
  #settings(id: string, { brokers, sasl, tls, mapping }: FollowedTopic) {
    const ca = typeof tls === 'object' ? { ca: tls.ca } : {};
    const password = sasl === undefined ? {} : { password: sasl.password };
    return {
      brokers,
      tls: tls !== false,
      sealed: this.#deps.secretBox.seal(JSON.stringify({ ...ca, ...password }), id),
      sasl: sasl && { mechanism: sasl.mechanism, username: sasl.username },
      mapping: mapping === undefined ? undefined : JSON.stringify(mapping),
    };
  }

  async #checkAddresses(brokers: readonly string[]): Promise<void> {
    for (const [index, broker] of brokers.entries()) {
      const host = broker.slice(0, broker.lastIndexOf(':')).replace(/^\[|\]$/g, '');
      await resolveAllowed(host, this.#deps.allowPrivateSources, { field: `/brokers/${index}` });
    }
  }
}

function gone(): LilyError {
  return new LilyError('not-found', 'There is no such topic among those that are followed.');
}
