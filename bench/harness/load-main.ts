/** The load process: takes jobs from its parent, and says what came of them. */
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { calmIdleConnections } from '#platform/kafka/idle-timer.ts';
import { metadataId, newRecordId } from '#platform/digest.ts';
import { entityKey, ingestHeaders } from '#domain/topics.ts';
import { HttpConnection, HttpPool } from './http-connection.ts';
import type { FromLoad, Job, JobResult, ToLoad } from './jobs.ts';
import { EventTemplate, sourcesOf } from './lineage-events.ts';
import { openLoop } from './open-loop.ts';
import { tableBody } from './records.ts';
import { distribution } from './stats.ts';

const flow = { paused: false, stopped: false };

const tell = (message: FromLoad): void => void process.send?.(message);

process.on('message', (message: ToLoad) => {
  if (message.type === 'run') {
    runJob(message.job).then(
      (result) => tell({ type: 'done', result }),
      (error: unknown) =>
        tell({ type: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  } else {
    flow.paused = message.type === 'pause';
    flow.stopped ||= message.type === 'stop';
  }
});

async function runJob(job: Job): Promise<JobResult> {
  const startedAt = performance.now();
  const { count, errors, durations } = await perform(job);
  return { count, errors, seconds: (performance.now() - startedAt) / 1_000, latency: distribution(durations) };
}

interface Performed {
  count: number;
  errors: number;
  durations: number[];
}

function perform(job: Job): Promise<Performed> {
  switch (job.kind) {
    case 'get':
      return getInTurn(job);
    case 'post-open':
      return postOpenLoop(job);
    case 'send-open':
      return sendOpenLoop(job);
    case 'lineage-events':
      return sendEvents(job);
    case 'arrays':
      return sendArrays(job);
  }
}

async function getInTurn({
  base,
  token,
  paths,
  connections,
  seconds,
}: Extract<Job, { kind: 'get' }>): Promise<Performed> {
  const headers = { Authorization: `Bearer ${token}` };
  const performed: Performed = { count: 0, errors: 0, durations: [] };
  const endAt = performance.now() + seconds * 1_000;
  let next = 0;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const connection = new HttpConnection(base);
      while (performance.now() < endAt) {
        const startedAt = performance.now();
        const { status } = await connection.request('GET', paths[next++ % paths.length] ?? '/', headers);
        performed.durations.push(performance.now() - startedAt);
        performed.count += 1;
        if (status !== 200) performed.errors += 1;
      }
      connection.close();
    }),
  );
  return performed;
}

async function postOpenLoop({
  base,
  token,
  prefix,
  perSecond,
  seconds,
}: Extract<Job, { kind: 'post-open' }>): Promise<Performed> {
  const pool = new HttpPool(base);
  const headers = { Authorization: `Bearer ${token}` };
  let errors = 0;
  const durations = await openLoop(perSecond, seconds, async (index) => {
    const { status } = await pool.request(
      'POST',
      '/ingest-metadata',
      headers,
      JSON.stringify(tableBody(prefix, index)),
    );
    if (status !== 202) errors += 1;
  });
  pool.close();
  return { count: durations.length, errors, durations };
}

async function sendOpenLoop({
  brokers,
  topic,
  tenantId,
  prefix,
  perSecond,
  seconds,
}: Extract<Job, { kind: 'send-open' }>): Promise<Performed> {
  calmIdleConnections();
  const kafka = new Kafka({ clientId: 'bench-raw', brokers, logLevel: logLevel.ERROR });
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
  });
  await producer.connect();
  const durations = await openLoop(perSecond, seconds, (index) => {
    const { entity_type, qualified_name, ...body } = tableBody(prefix, index);
    const id = metadataId(tenantId, entity_type, qualified_name ?? '');
    const value = JSON.stringify({ op: 'upsert', entity_type, qualified_name, ...body });
    const headers = {
      [ingestHeaders.tenant]: tenantId,
      [ingestHeaders.recordId]: newRecordId(),
      [ingestHeaders.door]: 'stream',
    };
    return producer.send({ topic, acks: -1, messages: [{ key: entityKey(tenantId, id), value, headers }] });
  });
  await producer.disconnect();
  return { count: durations.length, errors: 0, durations };
}

/** Events one after the other on each connection, each a run of its own. */
async function sendEvents({
  base,
  token,
  shape,
  connections,
}: Extract<Job, { kind: 'lineage-events' }>): Promise<Performed> {
  const headers = { Authorization: `Bearer ${token}` };
  const performed: Performed = { count: 0, errors: 0, durations: [] };
  const first = sourcesOf(shape);
  const templates = Array.from(
    { length: shape.datasets - first },
    (_, index) => new EventTemplate(shape, first + index),
  );
  let next = 0;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const connection = new HttpConnection(base);
      while (!flow.stopped) {
        if (flow.paused) {
          await new Promise((resolve) => setTimeout(resolve, 5));
          continue;
        }
        const event = templates[next++ % templates.length]?.next() ?? '';
        const startedAt = performance.now();
        const { status, body } = await connection.request('POST', '/api/v1/lineage', headers, event);
        performed.durations.push(performance.now() - startedAt);
        if (status !== 201) throw new Error(`an event got ${status}: ${body.slice(0, 300)}`);
        performed.count += 1;
        if (performed.count % 50 === 0) tell({ type: 'progress', acknowledged: performed.count });
      }
      connection.close();
    }),
  );
  return performed;
}

async function sendArrays({
  base,
  token,
  prefix,
  connections,
  arraySize,
  updates,
}: Extract<Job, { kind: 'arrays' }>): Promise<Performed> {
  const headers = { Authorization: `Bearer ${token}` };
  const performed: Performed = { count: 0, errors: 0, durations: [] };
  let next = 0;
  await Promise.all(
    Array.from({ length: connections }, async (_, lane) => {
      const connection = new HttpConnection(base);
      for (let round = 0; !flow.stopped; round++) {
        if (flow.paused) {
          await new Promise((resolve) => setTimeout(resolve, 10));
          continue;
        }
        const from = next;
        const fresh = Math.round(arraySize * (1 - updates));
        next += fresh;
        // Updates are of entities that this connection has created a while ago, so that each is a change.
        const bodies = Array.from({ length: arraySize }, (_unused, index) =>
          index < fresh ? tableBody(prefix, from + index) : tableBody(`${prefix}.upd${lane}`, index, round),
        );
        const startedAt = performance.now();
        const { status, body } = await connection.request('POST', '/ingest-metadata', headers, JSON.stringify(bodies));
        performed.durations.push(performance.now() - startedAt);
        if (status !== 202) throw new Error(`an array got ${status}: ${body.slice(0, 300)}`);
        performed.count += arraySize;
        tell({ type: 'progress', acknowledged: performed.count });
      }
      connection.close();
    }),
  );
  return performed;
}
