import { metadataId } from '#platform/digest.ts';
import { httpCeilings } from '../ceilings/http.ts';
import type { Bench } from '../harness/context.ts';
import { sharesText } from '../harness/cpu.ts';
import { numberText, type Figure } from '../harness/figure.ts';
import { ingestAll } from '../harness/ingest-all.ts';
import { LoadProcess } from '../harness/load-process.ts';
import { tableBody } from '../harness/records.ts';

const tenantId = 'bench-f';
const count = 2_000;

/** `GET /metadata/{id}` by 16 clients at once, each asking as soon as it is answered. */
export async function entityReads(bench: Bench): Promise<Figure[]> {
  const token = await bench.token(tenantId);
  const bodies = Array.from({ length: count }, (_, index) => tableBody('bench.f', index));
  await ingestAll(bench, token, bodies);
  const paths = bodies.map(
    ({ entity_type, qualified_name }) => `/metadata/${metadataId(tenantId, entity_type, qualified_name ?? '')}`,
  );
  const bare = await httpCeilings(bench.stack.env, paths, bench.quick ? 3 : 6);

  const load = new LoadProcess();
  const job = { kind: 'get', base: bench.stack.addresses.api, token, paths, connections: 16 } as const;
  await load.run({ ...job, seconds: 3 });
  const meter = await bench.meter(load);
  const result = await load.run({ ...job, seconds: bench.quick ? 5 : 15 });
  const limit = sharesText(meter.shares());
  load.close();
  if (result.errors > 0) throw new Error(`${result.errors} of ${result.count} reads failed`);
  return [
    {
      scenario: 'f',
      name: 'GET /metadata/{id}, 16 at once',
      value: result.count / result.seconds,
      unit: 'answers/s',
      aim: 1_800,
      ceilings: [
        { what: 'bare Express with one findOne', value: bare.expressAndFind },
        { what: 'bare Express', value: bare.express },
        { what: 'bare findOne', value: bench.ceilings.mongo.found },
      ],
      limit,
      note: `p50 ${numberText(result.latency.p50)} ms, p99 ${numberText(result.latency.p99)} ms`,
    },
  ];
}
