import { kafkaInternals, type Broker } from './cluster.ts';

const metadataKey = 3;
/** The version of the metadata request (KIP-516) that asks by name and answers with the topic's id; Kafka 3.1 and later. */
const metadataVersion = 12;

/** What tells a topic from another one of the same name that was there before. */
export interface TopicIdentity {
  clusterId: string;
  /** The id that Kafka gave the topic when it was created; empty where the broker is too old to have one. */
  topicId: string;
}

/**
 * Asks one broker what it takes the topic for. kafkajs speaks older versions of this request, which know no ids.
 * Answers undefined when the broker knows no such topic.
 */
export async function topicIdentity(broker: Broker, topic: string): Promise<TopicIdentity | undefined> {
  if ((broker.versions[metadataKey]?.maxVersion ?? 0) < metadataVersion) return { clusterId: '', topicId: '' };
  return broker.connectionPool.send({
    request: {
      apiKey: metadataKey,
      apiVersion: metadataVersion,
      apiName: 'Metadata',
      encode: async () =>
        new kafkaInternals.Encoder()
          .writeInt8(0) // the header's tags
          .writeUVarInt(2) // one topic
          .writeBuffer(Buffer.alloc(16)) // by name, not by id
          .writeUVarIntString(topic)
          .writeInt8(0)
          .writeBoolean(false) // not to be created
          .writeBoolean(false) // without the rights that we have on it
          .writeInt8(0),
    },
    response: { decode: async (bytes) => decode(bytes), parse: async (answer) => answer },
  });
}

function decode(bytes: Buffer): TopicIdentity | undefined {
  const answer = new CompactReader(bytes);
  answer.tags();
  answer.skip(4); // throttle time
  for (let brokers = answer.length(); brokers > 0; brokers -= 1) {
    answer.skip(4);
    answer.text();
    answer.skip(4);
    answer.text();
    answer.tags();
  }
  const clusterId = answer.text();
  answer.skip(4); // controller
  if (answer.length() < 1) return undefined;
  const error = answer.int16();
  answer.text();
  const topicId = answer.bytes(16).toString('base64url');
  return error === 0 ? { clusterId, topicId } : undefined;
}

/** Reads the "flexible" encoding of Kafka's protocol (KIP-482), as far as it is needed here. */
class CompactReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  skip(count: number): void {
    this.#at += count;
  }

  int16(): number {
    this.#at += 2;
    return this.#bytes.readInt16BE(this.#at - 2);
  }

  bytes(count: number): Buffer {
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  /** Of an array or text: one more than it is stands there, and 0 for none. */
  length(): number {
    return Math.max(this.#varint() - 1, 0);
  }

  text(): string {
    return this.bytes(this.length()).toString();
  }

  tags(): void {
    for (let count = this.#varint(); count > 0; count -= 1) {
      this.#varint();
      this.skip(this.#varint());
    }
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes.readUInt8(this.#at);
      this.#at += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new Error('the broker answered with a number that is none');
  }
}
