import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { openStack } from '/work/main/deploy/local/stack.ts';
import { loadConfig } from '/work/main/platform/config.ts';
const c = loadConfig(openStack('bench').env).temporal;
Runtime.install({ logger: new DefaultLogger('WARN'), shutdownSignals: [] });
const connection = await NativeConnection.connect({ address: c.address });
const client = new Client({ connection, namespace: c.namespace });
const worker = await Worker.create({ connection, namespace: c.namespace, taskQueue:'t', workflowsPath: '/work/main/bench/ceilings/empty-workflow.ts' });
await worker.runUntil(async()=>{
 for (const eager of [true,false]) for (const lanes of [1,4,20]) {
  const lat:number[]=[]; let n=0; const t0=performance.now();
  await Promise.all(Array.from({length:lanes},async()=>{ while(performance.now()-t0<5000){const t=performance.now(); await client.workflow.execute('emptyWorkflow',{taskQueue:'t',workflowId:`t:${t0}:${n++}`,requestEagerStart:eager}); lat.push(performance.now()-t);} }));
  lat.sort((a,b)=>a-b); console.log('eager',eager,'lanes',lanes,'n',lat.length,'rate',(lat.length/((performance.now()-t0)/1000)).toFixed(1),'p50',lat[lat.length>>1]!.toFixed(0),'p99',lat[Math.floor(lat.length*.99)]!.toFixed(0),'max',lat.at(-1)!.toFixed(0));
 }
});
await connection.close(); process.exit(0);
