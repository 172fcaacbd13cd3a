import { setTimeout as sleep } from 'node:timers/promises';
import { LilyError } from '#domain/errors.ts';
import type { Mapping } from '#domain/ingestion/mapping.ts';
import {
  continuation,
  incarnationOf,
  type FollowTopicRequest,
  type PartitionPosition,
  type RoundEnd,
} from '#domain/streams/topic.ts';
import { topics as ownTopics } from '#domain/topics.ts';
import type { FetchedPartition, TopicReader } from '#platform/kafka/foreign/topic-reader.ts';
import type { GroupCommitProducer, OutgoingMessage } from '#platform/kafka/producer.ts';
import type { FollowedTopicDoc, FollowedTopics, PartitionMove } from '#platform/mongo/followed-topics.ts';
import { RateMeter } from './rate-meter.ts';
import { recordsOfMessage } from './topic-records.ts';

export interface TopicRoundDeps {
  topics: Pick<FollowedTopics, 'get' | 'begin' | 'noteRead' | 'noteError' | 'partitions' | 'place' | 'move'>;
  producer: Pick<GroupCommitProducer, 'send'>;
  /** Opens a reader with the integration's secrets, its addresses guarded. */
  openReader: (integration: FollowedTopicDoc) => TopicReader;
  /** The id of Lily's own cluster. */
  ownClusterId: () => Promise<string>;
  /** How long a round lasts, in milliseconds. */
  roundMs?: number;
}

const defaultRoundMs = 10 * 60_000;
/** How often it is looked at whether somebody changed the integration, and noted how far it is. */
const lookMs = 1_000;
/** How often it is looked for new partitions. */
const refreshMs = 20_000;
const firstRetryMs = 250;
const lastRetryMs = 10_000;

/** One round of reading a topic. */
export class TopicRound {
  /** Read in this round. */
  messages = 0;
  readonly #deps: TopicRoundDeps;
  readonly #request: FollowTopicRequest;
  readonly #signal: AbortSignal;
  readonly #positions = new Map<number, PartitionPosition>();
  readonly #ends = new Map<number, number>();
  readonly #rate = new RateMeter();
  #notice: string | undefined;
  #reader: TopicReader | undefined;

  constructor(deps: TopicRoundDeps, request: FollowTopicRequest, signal: AbortSignal) {
    this.#deps = deps;
    this.#request = request;
    this.#signal = signal;
  }

  /** @throws TopicReplaced when the topic was made anew meanwhile; LilyError `source-unreachable`, `source-refused` */
  async run(): Promise<RoundEnd> {
    const { tenantId, integrationId } = this.#request;
    const integration = await this.#deps.topics.get(tenantId, integrationId);
    if (integration === undefined) return 'gone';
    if (integration.paused) return 'paused';
    const reader = this.#deps.openReader(integration);
    this.#reader = reader;
    const { clusterId, topicId } = await reader.open();
    await this.#refuseOwnTopics(clusterId, integration.topic);
    await this.#place(reader, topicId, integration);
    const mapping = integration.mapping === undefined ? undefined : (JSON.parse(integration.mapping) as Mapping);

    const endsAt = Date.now() + (this.#deps.roundMs ?? defaultRoundMs);
    let [lookedAt, refreshedAt] = [0, Date.now()];
    while (Date.now() < endsAt) {
      if (Date.now() - lookedAt >= lookMs) {
        lookedAt = Date.now();
        const now = await this.#look();
        if (now === undefined) return 'gone';
        if (now.revision !== integration.revision || this.#signal.aborted) return 'changed';
      }
      if (Date.now() - refreshedAt >= refreshMs) {
        refreshedAt = Date.now();
        const found = await reader.refresh();
        if (found.length !== this.#positions.size) return 'changed';
      }
      const offsets = new Map([...this.#positions].map(([partition, { next }]) => [partition, next]));
      const fetched = await reader.fetch(offsets);
      await this.#take(fetched, mapping);
    }
    return 'time';
  }

  async close(): Promise<void> {
    await this.#reader?.close();
  }

  /** Lily's own topics hold what all tenants sent. Nobody reads them through this door. */
  async #refuseOwnTopics(clusterId: string, topic: string): Promise<void> {
    const isOurs = topic.startsWith('lily.') || topic.startsWith('__');
    if (isOurs && (clusterId === '' || clusterId === (await this.#deps.ownClusterId()))) {
      throw new LilyError('source-refused', `The topic ${topic} is not open to anybody.`);
    }
  }

  /** Finds out where each partition goes on, and writes it down. */
  async #place(reader: TopicReader, topicId: string, integration: FollowedTopicDoc): Promise<void> {
    const { tenantId, integrationId } = this.#request;
    const { topics } = this.#deps;
    const [bounds, docs] = await Promise.all([reader.bounds(), topics.partitions(tenantId, integrationId)]);
    const offsets = bounds.map(({ partition, first, end }) => ({
      partition,
      offset: integration.from === 'earliest' ? first : end,
    }));
    const begin = integration.begin ?? (await topics.begin(tenantId, integrationId, { topic_id: topicId, offsets }));
    for (const { partition, first, end } of bounds) {
      const doc = docs.find((one) => one.partition === partition);
      const stood = doc && { partition, topicId: doc.topic_id, era: doc.era, next: doc.next };
      const known = begin.topic_id === topicId ? begin.offsets.find((one) => one.partition === partition) : undefined;
      // A partition that came later is read from its beginning: everything in it is new.
      const place = continuation(partition, stood, topicId, { first, end }, known?.offset ?? first);
      const isPlaced = await topics.place(tenantId, integrationId, stood, place, end);
      if (!isPlaced) throw superseded();
      const { notice, lost: _lost, ...position } = place;
      this.#notice = notice ?? this.#notice;
      this.#positions.set(partition, position);
      this.#ends.set(partition, end);
    }
  }

  async #look(): Promise<FollowedTopicDoc | undefined> {
    const { tenantId, integrationId } = this.#request;
    const notice = this.#notice;
    this.#notice = undefined;
    return this.#deps.topics.noteRead(tenantId, integrationId, { rate: this.#rate.perSecond(), notice });
  }

  /** Makes records of what was fetched, and moves on when they are durable. */
  async #take(fetched: FetchedPartition[], mapping: Mapping | undefined): Promise<void> {
    const outgoing: OutgoingMessage[] = [];
    const moves: PartitionMove[] = [];
    for (const { partition, messages, next, end } of fetched) {
      const from = this.#positions.get(partition);
      if (from === undefined || (next === from.next && end === this.#ends.get(partition))) continue;
      const origin = { ...this.#request, partition, incarnation: incarnationOf(from), mapping };
      const move = { from, next, end, messages: messages.length, records: 0, deadLetters: 0, ignored: 0 };
      for (const message of messages) {
        const made = recordsOfMessage(origin, message);
        for (const one of made.messages) outgoing.push(one);
        move.records += made.messages.length - made.deadLetters;
        move.deadLetters += made.deadLetters;
        if (message.value === undefined) move.ignored += 1;
      }
      moves.push(move);
    }
    await this.#send(outgoing);
    if (!(await this.#deps.topics.move(this.#request.tenantId, this.#request.integrationId, moves))) throw superseded();
    for (const { from, next, end, messages } of moves) {
      this.#positions.set(from.partition, { ...from, next });
      this.#ends.set(from.partition, end);
      this.messages += messages;
      this.#rate.add(messages);
    }
  }

  /** Waits as long as Kafka takes nothing: nothing more is read meanwhile, so the lag stays in the foreign topic. */
  async #send(messages: OutgoingMessage[]): Promise<void> {
    for (let pauseMs = firstRetryMs; ; pauseMs = Math.min(pauseMs * 2, lastRetryMs)) {
      try {
        await this.#deps.producer.send(ownTopics.ingest, messages);
        return;
      } catch (error) {
        if (this.#signal.aborted) throw error;
        await sleep(pauseMs, undefined, { signal: this.#signal });
      }
    }
  }
}

/** An attempt that was taken for dead still reads: its records are the same, and only one of the two may go on. */
function superseded(): LilyError {
  return new LilyError('conflict', 'Another worker reads the topic already.');
}
