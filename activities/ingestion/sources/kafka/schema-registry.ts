import { z } from 'zod';
import type { LilyError } from '#domain/errors.ts';
import type { KafkaSource } from '#domain/ingestion/sources/kafka.ts';
import { getGuarded } from '#platform/guarded-http.ts';
import type { SourceContext } from '../../source.ts';
import { permanent, unreachable, type Place } from '../shared/source-error.ts';

const timeoutMs = 10_000;
const mostBytes = 2 * 1024 * 1024;

const answerSchema = z.object({
  schema: z.string(),
  schemaType: z.enum(['AVRO', 'JSON', 'PROTOBUF']).default('AVRO'),
});

export interface RegisteredSchema {
  type: 'AVRO' | 'JSON' | 'PROTOBUF';
  /** Of an Avro schema its text as JSON. */
  schema: unknown;
}

/** A schema registry that speaks as Confluent's does. */
export class SchemaRegistry {
  readonly #options: NonNullable<KafkaSource['schema_registry']>;
  readonly #allowPrivate: boolean;
  readonly #schemas = new Map<number, Promise<RegisteredSchema | undefined>>();

  constructor(
    options: NonNullable<KafkaSource['schema_registry']>,
    { allowPrivate }: Pick<SourceContext, 'allowPrivate'>,
  ) {
    this.#options = options;
    this.#allowPrivate = allowPrivate;
  }

  /** The schema with that number; undefined when the registry has none. @throws LilyError */
  schema(id: number): Promise<RegisteredSchema | undefined> {
    const known = this.#schemas.get(id) ?? this.#ask(id);
    this.#schemas.set(id, known);
    return known;
  }

  /** Makes sure that the registry answers and lets us in. @throws LilyError */
  async check(): Promise<void> {
    await this.#get('subjects');
  }

  async #ask(id: number): Promise<RegisteredSchema | undefined> {
    const body = await this.#get(`schemas/ids/${id}`);
    if (body === undefined) return undefined;
    try {
      const { schema, schemaType } = answerSchema.parse(JSON.parse(body));
      return { type: schemaType, schema: schemaType === 'AVRO' ? (JSON.parse(schema) as unknown) : schema };
    } catch (error) {
      throw unreachable(error, this.#place());
    }
  }

  async #get(path: string): Promise<string | undefined> {
    const { url, username, password = '' } = this.#options;
    const headers: Record<string, string> = { Accept: 'application/vnd.schemaregistry.v1+json, application/json' };
    if (username !== undefined) {
      headers['Authorization'] = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    }
    const { status, body } = await getGuarded({
      url: new URL(path, url.endsWith('/') ? url : `${url}/`),
      headers,
      allowPrivate: this.#allowPrivate,
      timeoutMs,
      mostBytes,
    }).catch((error: unknown) => {
      throw unreachable(error, this.#place());
    });
    if (status === 404) return undefined;
    if (status === 200) return body;
    throw this.#refused(status);
  }

  #refused(status: number): LilyError {
    if (status === 401 || status === 403) return permanent(this.#place(), 'does not let us in (schema registry)');
    if (status >= 300 && status < 400) return permanent(this.#place(), 'redirects us, which is not followed');
    return unreachable(new Error(`it answers ${status}`), this.#place());
  }

  #place(): Place {
    const { url, password = '' } = this.#options;
    return { place: new URL(url).host, secrets: [password], field: '/source/schema_registry/url' };
  }
}
