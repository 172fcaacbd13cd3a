import { WebSocket } from 'ws';
import type { IngestBody } from '#domain/assets/record.ts';
import type { ImpactCause } from '#domain/propagation/impact.ts';
import { topics } from '#domain/topics.ts';
import { metadataId } from '#platform/digest.ts';
import { bareWriteMs } from '../ceilings/measure.ts';
import type { Bench } from '../harness/context.ts';
import { sharesText } from '../harness/cpu.ts';
import { numberText, type Figure } from '../harness/figure.ts';
import { ingestAll } from '../harness/ingest-all.ts';
import { HttpConnection } from '../harness/http-connection.ts';
import { distribution, repeated } from '../harness/stats.ts';

const tenantId = 'bench-d';
const levels = 5;
const perLevel = 200;
const affected = levels * perLevel;
const roundTimeoutMs = 30_000;

const nameOf = (level: number, place: number): string =>
  level === 0 ? 'bench.d.root' : `bench.d.l${level}.t${place % perLevel}`;
const refTo = (level: number, place: number) => ({ entity_type: 'table', qualified_name: nameOf(level, place) });
const rootId = metadataId(tenantId, 'table', nameOf(0, 0));

/** Counts, for the change that is waited for, the entities that have been told of it. */
class Arrivals {
  #seen = new Set<string>();
  #version = 0;
  #firstAt = 0;
  #done: (value: { first: number; last: number }) => void = () => {};

  expect(version: number): Promise<{ first: number; last: number }> {
    this.#seen = new Set();
    this.#version = version;
    this.#firstAt = 0;
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`${this.#seen.size} of ${affected} impacts arrived`)),
        roundTimeoutMs,
      );
      this.#done = (value) => {
        clearTimeout(late);
        resolve(value);
      };
    });
  }

  take(id: string, causes: readonly ImpactCause[]): void {
    if (!causes.some((cause) => cause.metadata_id === rootId && cause.version === this.#version)) return;
    if (this.#seen.size === 0) this.#firstAt = performance.now();
    this.#seen.add(id);
    if (this.#seen.size === affected) this.#done({ first: this.#firstAt, last: performance.now() });
  }
}

/** A change of one entity that a thousand depend on, over five hops: until the last of them is on `lily.impacts` and on a WebSocket. */
export async function impact(bench: Bench): Promise<Figure[]> {
  const token = await bench.token(tenantId);
  await ingestAll(bench, token, graph());
  const onTopic = new Arrivals();
  const onSocket = new Arrivals();
  const consumer = await bench.follow(topics.impacts, (value) => {
    const { data } = JSON.parse(value.toString()) as { data: { metadata_id: string; causes: ImpactCause[] } };
    onTopic.take(data.metadata_id, data.causes);
  });
  const socket = await openSocket(bench, token, (message) => {
    if (message.type === 'impact') onSocket.take(message.metadata_id, message.causes);
  });
  const connection = new HttpConnection(bench.stack.addresses.api);
  const headers = { Authorization: `Bearer ${token}` };
  const times = { firstEvent: [] as number[], lastEvent: [] as number[], lastMessage: [] as number[] };
  const rounds = bench.quick ? 4 : 15;
  const meter = await bench.meter();
  for (let round = -2; round < rounds; round++) {
    const version = round + 4;
    const arrived = Promise.all([onTopic.expect(version), onSocket.expect(version)]);
    const startedAt = performance.now();
    await connection.request('POST', '/ingest-metadata', headers, JSON.stringify(entity(0, 0, version)));
    const [event, message] = await arrived;
    if (round >= 0) {
      times.firstEvent.push(event.first - startedAt);
      times.lastEvent.push(event.last - startedAt);
      times.lastMessage.push(message.last - startedAt);
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  const limit = sharesText(meter.shares());
  connection.close();
  socket.close();
  await consumer.disconnect();

  const bare =
    bareWriteMs(bench.ceilings) +
    bench.ceilings.temporal.single.p50 +
    (await bareWalkMs(bench)) +
    bench.ceilings.kafka.thousand.p50;
  const ceilings = [
    { what: 'a bare write, an empty workflow, a bare walk and a bare send of 1,000, one after the other', value: bare },
  ];
  const first = distribution(times.firstEvent);
  const last = distribution(times.lastEvent);
  const message = distribution(times.lastMessage);
  return [
    {
      scenario: 'd',
      name: 'change → last of 1,000 impact events, p50',
      value: last.p50,
      unit: 'ms',
      aim: 1_000,
      ceilings,
      limit,
      note: `${rounds} rounds, largest ${numberText(last.max)} ms; the first event p50 ${numberText(first.p50)} ms`,
    },
    {
      scenario: 'd',
      name: 'change → last WebSocket message, p50',
      value: message.p50,
      unit: 'ms',
      aim: 1_000,
      ceilings,
      limit: '',
      note: `largest ${numberText(message.max)} ms`,
    },
  ];
}

function entity(level: number, place: number, revision: number): IngestBody {
  const upstream =
    level === 0
      ? []
      : place % 3 === 0 && level > 1
        ? [refTo(level - 1, place), refTo(level - 1, place + 1)]
        : [refTo(level - 1, place)];
  return {
    ...refTo(level, place),
    attributes: { name: nameOf(level, place), description: `revision ${revision}` },
    upstream,
  };
}

function graph(): IngestBody[] {
  const bodies = [entity(0, 0, 1)];
  for (let level = 1; level <= levels; level++) {
    for (let place = 0; place < perLevel; place++) bodies.push(entity(level, place, 1));
  }
  return bodies;
}

async function bareWalkMs(bench: Bench): Promise<number> {
  const query = `MATCH (:Node {tenant_id: $tenantId, node_id: $rootId})-[:FEEDS*1..${levels}]->(n:Entity) RETURN DISTINCT n.node_id, n.node_type, n.qualified_name, n.name`;
  return (await repeated(20, 20, () => bench.driver.executeQuery(query, { tenantId, rootId }, { routing: 'READ' })))
    .p50;
}

interface Message {
  type: string;
  metadata_id: string;
  causes: ImpactCause[];
}

async function openSocket(bench: Bench, token: string, onMessage: (message: Message) => void): Promise<WebSocket> {
  const socket = new WebSocket(`${bench.stack.addresses.api.replace('http', 'ws')}/ws/notifications`, {
    headers: { authorization: `Bearer ${token}` },
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('message', () => resolve());
    socket.once('error', reject);
  });
  socket.on('message', (text: Buffer) => onMessage(JSON.parse(text.toString()) as Message));
  return socket;
}
