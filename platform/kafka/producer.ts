import { Partitioners, type Kafka, type Producer, type TopicMessages } from 'kafkajs';
import { LilyError } from '#domain/errors.ts';
import type { Topic } from '#domain/topics.ts';

export interface OutgoingMessage {
  key: string;
  value: string;
  headers?: Record<string, string>;
}

interface Waiting {
  topic: Topic;
  messages: OutgoingMessage[];
  sizeBytes: number;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Bytes of one request to Kafka, at most, unless one message alone is larger. Topics accept sets of more than twice that. */
const flushBytes = 3 * 1024 * 1024;
/** Bytes that may wait for Kafka before new sends are refused. */
const waitingBytesLimit = 64 * 1024 * 1024;

/**
 * Produces with group commit: while one request is under way, sends gather, and go together in the next. One request in
 * flight and acks=all keep the order of what was sent, over retries too. A send resolves only when Kafka has acknowledged it.
 */
export class GroupCommitProducer {
  readonly #producer: Producer;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #flushing: Promise<void> | undefined;

  constructor(kafka: Kafka, options: { retries?: number } = {}) {
    this.#producer = kafka.producer({
      createPartitioner: Partitioners.DefaultPartitioner,
      allowAutoTopicCreation: false,
      maxInFlightRequests: 1,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: options.retries ?? 4 },
    });
  }

  async connect(): Promise<void> {
    await this.#producer.connect();
  }

  /**
   * Sends the messages, in their order.
   * @throws LilyError `unavailable` when Kafka did not acknowledge them in time; they may have arrived all the same.
   */
  send(topic: Topic, messages: OutgoingMessage[]): Promise<void> {
    if (messages.length === 0) return Promise.resolve();
    if (this.#waitingBytes > waitingBytesLimit) {
      return Promise.reject(new LilyError('unavailable', 'Too much waits for Kafka already; try again in a moment'));
    }
    const sent = inPieces(messages).map(({ piece, sizeBytes }) => this.#enqueue(topic, piece, sizeBytes));
    return Promise.all(sent).then(() => undefined);
  }

  #enqueue(topic: Topic, messages: OutgoingMessage[], sizeBytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ topic, messages, sizeBytes, resolve, reject });
      this.#waitingBytes += sizeBytes;
      this.#flushing ??= this.#flush();
    });
  }

  /** Waits for what was sent, then disconnects. */
  async close(): Promise<void> {
    await this.#flushing;
    await this.#producer.disconnect();
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      try {
        await this.#producer.sendBatch({ acks: -1, topicMessages: byTopic(group) });
        for (const send of group) send.resolve();
      } catch (error) {
        const failure = new LilyError('unavailable', 'Kafka did not acknowledge the message', { cause: error });
        for (const send of group) send.reject(failure);
      }
    }
    this.#flushing = undefined;
  }

  #takeGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const send of this.#waiting) {
      if (count > 0 && bytes + send.sizeBytes > flushBytes) break;
      bytes += send.sizeBytes;
      count += 1;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }
}

/** Key, headers and framing of one message, generously. */
const overheadBytes = 512;

/** The messages in their order, in pieces that Kafka takes: a set that is too large would be refused for good. */
function inPieces(messages: OutgoingMessage[]): { piece: OutgoingMessage[]; sizeBytes: number }[] {
  const pieces: { piece: OutgoingMessage[]; sizeBytes: number }[] = [];
  for (const message of messages) {
    const bytes = Buffer.byteLength(message.value) + overheadBytes;
    const last = pieces.at(-1);
    if (last === undefined || last.sizeBytes + bytes > flushBytes) pieces.push({ piece: [message], sizeBytes: bytes });
    else {
      last.piece.push(message);
      last.sizeBytes += bytes;
    }
  }
  return pieces;
}

function byTopic(group: Waiting[]): TopicMessages[] {
  const topics = new Map<Topic, OutgoingMessage[]>();
  for (const { topic, messages } of group) {
    const list = topics.get(topic);
    if (list === undefined) topics.set(topic, [...messages]);
    else list.push(...messages);
  }
  return [...topics].map(([topic, messages]) => ({ topic, messages }));
}
