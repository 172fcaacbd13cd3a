import { crc32 } from 'node:zlib';
import { copyPositions, emptyPositions, notificationTopics, type Positions } from '#platform/kafka/notification-log.ts';

const format = 2;
/** How many topics the positions of each format are of. Before there were incidents, there were two topics. */
const topicsOfFormat: Readonly<Record<number, number>> = { 1: 2, [format]: notificationTopics.length };
/** More partitions than any topic of Lily has. */
const mostPartitions = 10_000;
const checksumBytes = 4;

/**
 * Positions as the opaque id of a message: base64url of a format byte, the offsets as variable-length integers topic by
 * topic, and a checksum, so that a damaged id is told from a real one.
 */
export function encodePositions(positions: Readonly<Positions>): string {
  const bytes = [format];
  for (const topic of notificationTopics) {
    const offsets = positions[topic];
    pushNumber(bytes, offsets.length);
    for (let partition = 0; partition < offsets.length; partition += 1) pushNumber(bytes, offsets[partition] ?? 0);
  }
  const body = Buffer.from(bytes);
  const checksum = Buffer.alloc(checksumBytes);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([body, checksum]).toString('base64url');
}

/** The positions that an id stands for; undefined when it is not an id. */
export function decodePositions(id: string): Positions | undefined {
  const bytes = Buffer.from(id, 'base64url');
  const end = bytes.length - checksumBytes;
  const topicCount = topicsOfFormat[bytes[0] ?? 0];
  if (end < 1 || bytes.toString('base64url') !== id || topicCount === undefined) return undefined;
  if (bytes.readUInt32BE(end) !== crc32(bytes.subarray(0, end))) return undefined;
  const numbers = readNumbers(bytes.subarray(1, end));
  const positions = emptyPositions();
  for (const topic of notificationTopics.slice(0, topicCount)) {
    const count = numbers.shift();
    if (count === undefined || count > mostPartitions || count > numbers.length) return undefined;
    positions[topic] = numbers.splice(0, count);
  }
  return numbers.length === 0 ? positions : undefined;
}

function pushNumber(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
}

function readNumbers(bytes: Uint8Array): number[] {
  const numbers: number[] = [];
  let value = 0;
  let scale = 1;
  for (const byte of bytes) {
    value += (byte & 0x7f) * scale;
    scale *= 0x80;
    if (byte >= 0x80) continue;
    numbers.push(value);
    value = 0;
    scale = 1;
  }
  return scale === 1 && numbers.every(Number.isSafeInteger) ? numbers : [];
}

/** Whether `left` is before `right` in any partition. */
export function anyBefore(left: Readonly<Positions>, right: Readonly<Positions>): boolean {
  return notificationTopics.some((topic) =>
    right[topic].some((offset, partition) => (left[topic][partition] ?? 0) < offset),
  );
}

export function furthest(left: Readonly<Positions>, right: Readonly<Positions>): Positions {
  return combine(left, right, Math.max);
}

export function nearest(left: Readonly<Positions>, right: Readonly<Positions>): Positions {
  return combine(left, right, Math.min);
}

function combine(
  left: Readonly<Positions>,
  right: Readonly<Positions>,
  choose: (a: number, b: number) => number,
): Positions {
  const combined = copyPositions(left);
  for (const topic of notificationTopics) {
    for (let partition = 0; partition < Math.max(left[topic].length, right[topic].length); partition += 1) {
      combined[topic][partition] = choose(left[topic][partition] ?? 0, right[topic][partition] ?? 0);
    }
  }
  return combined;
}
