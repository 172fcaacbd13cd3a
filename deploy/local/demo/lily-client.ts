import { setTimeout as sleep } from 'node:timers/promises';
import { fetchToken } from '../fetch-token.ts';
import { StackError } from '../failure.ts';
import type { Stack } from '../stack.ts';

export interface Run {
  run_id: string;
  state: string;
  counts: Record<'read' | 'created' | 'updated' | 'deleted' | 'unchanged' | 'rejected', number>;
  pages: number;
  activity: string;
  reason: string | null;
  workflow_id: string;
}

export interface EntityView {
  metadata_id: string;
  entity_type: string;
  qualified_name: string;
  attributes: { name: string; description?: string };
  version: number;
}

export interface LineageView {
  nodes: { metadata_id: string; entity_type: string; qualified_name: string; distance: number }[];
  edges: { source: string; target: string }[];
}

export interface VersionView {
  version: number;
  change: string;
  changed_fields: string[];
  valid_from: string;
}

/** Speaks to Lily as any client would: over REST, with a token from the OpenID provider. */
export class LilyClient {
  readonly #base: string;
  readonly token: string;

  private constructor(base: string, token: string) {
    this.#base = base;
    this.token = token;
  }

  static async signIn(stack: Stack, tenant: string): Promise<LilyClient> {
    const token = await fetchToken(stack, { tenant, user: 'ada', roles: ['admin'] });
    return new LilyClient(stack.addresses.api, token);
  }

  async get<T>(path: string): Promise<T> {
    return this.#ask<T>('GET', path);
  }

  /** Stores a content, and answers with the id that runs refer to it by. */
  async upload(name: string, content: string): Promise<string> {
    const path = `/v1/uploads?name=${encodeURIComponent(name)}`;
    const { object_id: id } = await this.#send<{ object_id: string }>(
      'POST',
      path,
      'application/octet-stream',
      content,
    );
    return id;
  }

  async post<T>(path: string, body: unknown): Promise<T> {
    return this.#ask<T>('POST', path, body);
  }

  /** Starts a run and follows it to its end. */
  async crawl(source: object, onProgress: (run: Run) => void): Promise<Run> {
    const started = await this.post<Run>('/v1/ingestions', { source });
    for (;;) {
      const run = await this.get<Run>(`/v1/ingestions/${started.run_id}`);
      onProgress(run);
      if (run.state === 'completed') return run;
      if (run.state !== 'running')
        throw new StackError(`The run ended as ${run.state}: ${run.reason ?? 'no reason given'}`);
      await sleep(200);
    }
  }

  /** Finds an entity by its name. */
  async find(entityType: string, qualifiedName: string): Promise<EntityView> {
    const query = new URLSearchParams({ entity_type: entityType, qualified_name: qualifiedName });
    const { items } = await this.get<{ items: EntityView[] }>(`/v1/metadata?${query.toString()}`);
    const found = items[0];
    if (found === undefined) throw new StackError(`Lily knows no ${entityType} ${qualifiedName}.`);
    return found;
  }

  async #ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    return this.#send<T>(method, path, 'application/json', body === undefined ? undefined : JSON.stringify(body));
  }

  async #send<T>(method: string, path: string, contentType: string, body?: string): Promise<T> {
    const response = await fetch(this.#base + path, {
      method,
      headers: { authorization: `Bearer ${this.token}`, 'content-type': contentType },
      ...(body !== undefined && { body }),
    });
    const text = await response.text();
    if (!response.ok) throw new StackError(`${method} ${path} answered ${response.status}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }
}
