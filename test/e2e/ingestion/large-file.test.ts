import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadConfig } from '#platform/config.ts';
import { connectMongo, type Mongo } from '#platform/mongo/client.ts';
import { apiOf, freshTenant, stack, tokenOf } from '#test/e2e/api/client.ts';

/** Size of the table in MB; 1000 takes some minutes. */
const megabytes = Number(process.env['LILY_TEST_CSV_MB'] ?? 60);
const rowBytes = 10_000;
const rows = Math.floor((megabytes * 1_000_000) / rowBytes);
const pageSize = Math.min(2_000, Math.max(50, Math.floor(rows / 40)));
const mostAddedBytes = 300 * 1024 * 1024;
const timeoutMs = 60_000 + megabytes * 1_500;

let mongo: Mongo;
beforeAll(async () => {
  mongo = await connectMongo(loadConfig(process.env).mongo);
});
afterAll(async () => mongo.client.close());

interface Run {
  state: string;
  counts: Record<string, number>;
  pages: number;
  reason: string | null;
  progress: { done: number; total: number } | null;
}

/** A table of 100 columns, of which a mapping takes three. */
function* table(): Generator<Buffer> {
  const others = Array.from({ length: 97 }, (_, index) => index);
  let piece = `qn,name,note,${others.map((index) => `other_${index}`).join()}\n`;
  const filler = others.map((index) => `"${String(index).padEnd(100, ' lorem, ipsum')}"`).join();
  for (let row = 0; row < rows; row++) {
    piece += `w.t_${row},t_${row},"row ""${row}"", of many",${filler}\n`;
    if (piece.length < 1_000_000) continue;
    yield Buffer.from(piece);
    piece = '';
  }
  yield Buffer.from(piece);
}

/** The resident memory of the worker, in bytes; the kernel's own account. */
async function memoryOfWorker(): Promise<number> {
  const { pid } = await stack.statusOf('worker');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

it(
  `a table of ${megabytes} MB goes on at its page when its worker is killed, in little memory, and every row counts once`,
  async () => {
    const tenant = freshTenant();
    const token = await tokenOf(tenant, ['operator'], 4 * 3_600);
    const api = apiOf(token);
    const sentAt = performance.now();
    const upload = await fetch(`${stack.addresses.api}/v1/uploads?name=big.csv`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'text/csv' },
      body: Readable.toWeb(Readable.from(table())),
      duplex: 'half',
    });
    const { object_id: object, bytes } = (await upload.json()) as { object_id: string; bytes: number };
    expect(upload.status).toBe(201);
    const uploadSeconds = (performance.now() - sentAt) / 1_000;

    // A worker that has done nothing yet, so that what the file adds can be told from what was there.
    await stack.kill('worker');
    await stack.start('worker');
    const idle = await memoryOfWorker();
    const mapping = {
      entity_type: { value: 'table' },
      qualified_name: 'qn',
      attributes: { name: 'name', description: 'note' },
    };
    const source = { type: 'file', format: 'csv', object, name: 'big', mapping, page_size: pageSize };
    const startedAt = performance.now();
    const started = await api('POST', '/v1/ingestions', { json: { source } });
    expect(started.status, JSON.stringify(started.body)).toBe(202);
    const path = `/v1/ingestions/${String(started.body['run_id'])}`;
    const look = async (): Promise<Run> => (await api('GET', path)).body as unknown as Run;

    let [peak, killedAt, downMs] = [0, 0, 0];
    let run = await look();
    while (['running', 'paused'].includes(run.state)) {
      peak = Math.max(peak, await memoryOfWorker());
      if (killedAt === 0 && run.pages * pageSize > rows / 2) {
        const fallenAt = performance.now();
        killedAt = run.pages;
        await stack.kill('worker', 'SIGKILL');
        await stack.start('worker');
        downMs = performance.now() - fallenAt;
      }
      await sleep(100);
      run = await look();
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    const pages = Math.ceil(rows / pageSize);
    expect(run).toMatchObject({
      state: 'completed',
      counts: { read: rows, created: rows, updated: 0, unchanged: 0, rejected: 0 },
    });
    expect(killedAt).toBeGreaterThan(0);
    expect(run.pages).toBeGreaterThan(killedAt);
    // Each page was read once: it has one batch, and each row one raw record and one version.
    const prefix = new RegExp(`^${tenant}:run:${String(started.body['run_id'])}:`);
    const of = (name: string, filter: object): Promise<number> => mongo.db.collection(name).countDocuments(filter);
    expect(await of('batches', { _id: prefix as never })).toBe(run.pages);
    expect(await of('raw_records', { batch_id: prefix })).toBe(rows);
    expect(await of('entity_versions', { tenant_id: tenant })).toBe(rows);
    console.log(
      [
        `${rows} rows, ${Math.round(bytes / 1e6)} MB, ${run.pages} pages (${pages} by rows)`,
        `uploaded in ${uploadSeconds.toFixed(1)} s (${Math.round(bytes / 1e6 / uploadSeconds)} MB/s)`,
        `applied in ${seconds.toFixed(1)} s, ${(downMs / 1_000).toFixed(1)} s of it without a worker: ${Math.round(rows / seconds)} rows/s, ${(bytes / 1e6 / seconds).toFixed(1)} MB/s`,
        `worker: ${Math.round(idle / 1e6)} MB idle, ${Math.round(peak / 1e6)} MB at most, ${Math.round((peak - idle) / 1e6)} MB added`,
      ].join('\n'),
    );
    expect(peak - idle, 'bytes that the run added to the worker').toBeLessThan(mostAddedBytes);
  },
  timeoutMs,
);
