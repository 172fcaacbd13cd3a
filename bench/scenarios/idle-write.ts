import { bareWriteMs } from '../ceilings/measure.ts';
import type { Bench } from '../harness/context.ts';
import { sharesText } from '../harness/cpu.ts';
import type { Figure } from '../harness/figure.ts';
import { HttpConnection } from '../harness/http-connection.ts';
import { tableBody } from '../harness/records.ts';
import { repeated } from '../harness/stats.ts';

/** One write at a time with `Prefer: wait`, on a system that does nothing else: from the request to "applied, a read sees it". */
export async function idleWrite(bench: Bench): Promise<Figure[]> {
  const headers = { Authorization: `Bearer ${await bench.token('bench-b')}`, Prefer: 'wait=10' };
  const connection = new HttpConnection(bench.stack.addresses.api);
  const write = async (index: number): Promise<void> => {
    const body = JSON.stringify(tableBody('bench.b', index % 20, index));
    const { status, body: answer } = await connection.request('POST', '/ingest-metadata', headers, body);
    if (status !== 200) throw new Error(`a write that waits got ${status}: ${answer.slice(0, 300)}`);
  };
  await repeated(bench.quick ? 5 : 15, 50, write);
  const meter = await bench.meter();
  const latency = await repeated(bench.quick ? 20 : 80, 150, (index) => write(index + 1_000));
  const limit = sharesText(meter.shares());
  connection.close();
  const ceilings = [
    { what: 'the bare writes and an empty workflow, one after the other', value: bareWriteMs(bench.ceilings) },
  ];
  return [
    { scenario: 'b', name: 'idle write applied, p50', value: latency.p50, unit: 'ms', aim: 250, ceilings, limit },
    { scenario: 'b', name: 'idle write applied, p99', value: latency.p99, unit: 'ms', ceilings, limit: '' },
  ];
}
