import { randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';
import { fetchToken } from '#deploy/local/fetch-token.ts';
import { openStack } from '#deploy/local/stack.ts';
import type { Role } from '#domain/access/principal.ts';
import type { NotificationMessage } from '#domain/notifications/message.ts';

export const stack = openStack(process.env['LILY_STACK'] ?? 'test');

/** A tenant that nobody else has. */
export function freshTenant(): string {
  return `t-${randomBytes(6).toString('hex')}`;
}

export function tokenOf(tenant: string, roles: Role[] = ['editor'], expiresInSeconds = 3_600): Promise<string> {
  return fetchToken(stack, { tenant, user: 'ada', roles, expiresInSeconds });
}

// A test looks into answers of many shapes; what it expects it says in its assertions.
export interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, unknown> & { results?: Record<string, unknown>[]; items?: Record<string, unknown>[] };
}

export interface RequestPlan {
  headers?: Record<string, string>;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is. */
  raw?: string | Uint8Array;
}

/** Calls the API as the bearer of a token; without one, as nobody. */
export function apiOf(token?: string) {
  return async (method: string, path: string, { headers = {}, json, raw }: RequestPlan = {}): Promise<Answer> => {
    const body = raw ?? (json === undefined ? undefined : JSON.stringify(json));
    const response = await fetch(`${stack.addresses.api}${path}`, {
      method,
      redirect: 'manual',
      headers: {
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: body as string }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      body: (isJson && text !== '' ? JSON.parse(text) : { text }) as Answer['body'],
    };
  };
}

export type Api = ReturnType<typeof apiOf>;

export const waiting = { Prefer: 'wait=30' };

export function record(name: string, change: Record<string, unknown> = {}): Record<string, unknown> {
  return { entity_type: 'table', attributes: { name }, ...change };
}

/** Writes one entity and waits until it is applied. */
export async function ingest(api: Api, name: string, change: Record<string, unknown> = {}): Promise<string> {
  const answer = await api('POST', '/ingest-metadata', { json: record(name, change), headers: waiting });
  if (answer.status !== 200) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body['metadata_id'] as string;
}

/** One client of `/ws/notifications`. */
export class Listener {
  readonly messages: NotificationMessage[] = [];
  readonly socket: WebSocket;
  readonly closed: Promise<{ code: number; reason: string }>;

  constructor(query: Record<string, string>, options: { token?: string; protocols?: string[] } = {}) {
    const address = `${stack.addresses.api.replace('http', 'ws')}/ws/notifications?${new URLSearchParams(query).toString()}`;
    const headers = options.token === undefined ? {} : { Authorization: `Bearer ${options.token}` };
    this.socket = new WebSocket(address, options.protocols ?? [], { headers });
    this.socket.on('message', (data: Buffer) => this.messages.push(JSON.parse(data.toString()) as NotificationMessage));
    this.socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  /** Waits until the messages are as they should be. */
  async until(condition: (messages: NotificationMessage[]) => boolean, timeoutMs = 20_000): Promise<void> {
    for (const deadline = Date.now() + timeoutMs; !condition(this.messages);) {
      if (Date.now() > deadline)
        throw new Error(
          `it did not come about; ${this.messages.length} messages: ${JSON.stringify(this.messages.slice(-3))}`,
        );
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** The changes in the order that they came, as `id:version`. */
  get changes(): string[] {
    return this.messages.flatMap((message) =>
      message.type === 'update' ? [`${message.metadata_id}:${message.version}`] : [],
    );
  }

  get lastId(): string {
    return this.messages.at(-1)?.id ?? '';
  }

  close(): void {
    this.socket.close();
  }
}

/** The status of a refused upgrade. */
export async function upgradeStatus(path: string, headers: Record<string, string> = {}): Promise<number> {
  const socket = new WebSocket(`${stack.addresses.api.replace('http', 'ws')}${path}`, { headers });
  return new Promise((resolve, reject) => {
    socket.on('unexpected-response', (_request, response) => {
      resolve(response.statusCode ?? 0);
      response.destroy();
    });
    socket.on('open', () => {
      socket.close();
      resolve(101);
    });
    socket.on('error', reject);
  });
}
