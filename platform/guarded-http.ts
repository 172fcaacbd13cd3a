import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { connectGuarded } from './guarded-socket.ts';

export interface GuardedRequest {
  url: URL;
  headers?: Readonly<Record<string, string>>;
  allowPrivate: boolean;
  timeoutMs: number;
  mostBytes: number;
}

export interface GuardedAnswer {
  status: number;
  body: string;
}

/**
 * GETs from a place that a tenant named: its address is judged, no redirect is followed, and what it says is bounded in time and in
 * bytes. @throws LilyError `source-refused`, or what the network says
 */
export async function getGuarded(plan: GuardedRequest): Promise<GuardedAnswer> {
  const { url, headers = {}, allowPrivate, timeoutMs, mostBytes } = plan;
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const encrypted = url.protocol === 'https:';
  const port = url.port === '' ? (encrypted ? 443 : 80) : Number(url.port);
  const send = encrypted ? requestHttps : requestHttp;
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = send(url, {
      headers,
      agent: false,
      createConnection: () =>
        connectGuarded({ host, port, allowPrivate, tls: encrypted ? { verify: true } : undefined }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    request.once('response', resolve).once('error', reject).end();
  });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new Error(`sent more than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return { status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') };
}
