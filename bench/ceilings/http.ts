import { fork } from 'node:child_process';
import { join } from 'node:path';
import { runJob } from '../harness/load-process.ts';

export interface HttpCeilings {
  /** Answers a second of Express that does nothing, 16 at once. */
  express: number;
  /** The same with one findOne of the driver for each. */
  expressAndFind: number;
}

/** Bare Express in a process of its own, under the load that Lily's API gets. Needs entities to be there. */
export async function httpCeilings(
  env: Readonly<Record<string, string>>,
  paths: string[],
  seconds: number,
): Promise<HttpCeilings> {
  const server = fork(join(import.meta.dirname, 'http-server.ts'), {
    env: { ...process.env, ...env },
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  try {
    const port = await new Promise<number>((resolve, reject) => {
      server.once('message', (message) => resolve((message as { port: number }).port));
      server.once('exit', (code) => reject(new Error(`the bare server ended with ${code}`)));
    });
    const rate = async (tried: string[], forSeconds: number): Promise<number> => {
      const base = `http://127.0.0.1:${port}`;
      const result = await runJob({
        kind: 'get',
        base,
        token: 'none',
        paths: tried,
        connections: 16,
        seconds: forSeconds,
      });
      return result.count / result.seconds;
    };
    await rate(paths, 4);
    return { express: await rate(['/bare'], seconds), expressAndFind: await rate(paths, seconds) };
  } finally {
    server.removeAllListeners('exit');
    server.kill();
  }
}
