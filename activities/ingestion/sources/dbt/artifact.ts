import { z } from 'zod';
import type { DbtArtifact, DbtSource } from '#domain/ingestion/sources/dbt.ts';
import { limits } from '#domain/limits.ts';
import type { StoredObject } from '#platform/objects/object-store.ts';
import { PermanentSourceError } from '../../permanent-source-error.ts';
import type { SourceContext } from '../../source.ts';
import { EntryScanner, JsonFault, type JsonEntry, type ScanPlace, type ScanRequest } from './entry-scanner.ts';

interface Kind {
  file: string;
  /** How dbt calls it in `metadata.dbt_schema_version`. */
  schema: string;
  versions: readonly number[];
}

const kinds: Readonly<Record<DbtArtifact, Kind>> = {
  manifest: { file: 'manifest.json', schema: 'manifest', versions: [10, 11, 12] },
  catalog: { file: 'catalog.json', schema: 'catalog', versions: [1] },
  run_results: { file: 'run_results.json', schema: 'run-results', versions: [4, 5, 6] },
  sources: { file: 'sources.json', schema: 'sources', versions: [3] },
};

const metadataSchema = z.object({
  dbt_schema_version: z.string(),
  dbt_version: z.string().nullish(),
  generated_at: z.string().nullish(),
  invocation_id: z.string().nullish(),
  project_name: z.string().nullish(),
  adapter_type: z.string().nullish(),
});

export type ArtifactMetadata = z.infer<typeof metadataSchema>;

/** A stored artifact, read without ever holding more of it than an entry. What is wrong with it ends the run. */
export class Artifact {
  readonly #kind: DbtArtifact;
  readonly #objectId: string;
  readonly #context: SourceContext;

  constructor(kind: DbtArtifact, objectId: string, context: SourceContext) {
    this.#kind = kind;
    this.#objectId = objectId;
    this.#context = context;
  }

  /** Bytes and SHA-256 (lower-case hex) of its content. @throws PermanentSourceError `not-found` */
  async stat(): Promise<Pick<StoredObject, 'bytes' | 'sha256'>> {
    const stored = await this.#context.objects.stat(this.#context.tenantId, this.#objectId);
    if (stored !== undefined) return stored;
    throw new PermanentSourceError('not-found', `${this.#name} is not kept under ${this.#objectId}: upload it first.`, {
      field: `/source/${this.#kind}`,
    });
  }

  /** Its entries in their order, from a place that an entry has named or from the beginning. */
  async *entries(request: Omit<ScanRequest, 'maxEntryBytes'>, from?: ScanPlace): AsyncIterable<JsonEntry> {
    const scanner = new EntryScanner({ ...request, maxEntryBytes: limits.dbtEntryBytes }, from);
    const { objects, tenantId } = this.#context;
    const content = await objects.open(tenantId, this.#objectId, from?.offset);
    try {
      for await (const chunk of content) yield* scanner.push(chunk as Uint8Array);
      scanner.end();
    } catch (error) {
      if (error instanceof JsonFault) throw this.refuse(error.message);
      throw error;
    } finally {
      content.destroy();
    }
  }

  /** The entry's value. @throws PermanentSourceError that names the entry and the field at fault */
  parse<Value>(entry: JsonEntry, schema: z.ZodType<Value>): Value {
    const what = entry.key === '' ? entry.section : `${entry.section} "${entry.key.slice(0, 200)}"`;
    let json: unknown;
    try {
      json = JSON.parse(entry.text);
    } catch {
      throw this.refuse(`has ${what}, which is not JSON`);
    }
    const parsed = schema.safeParse(json);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    throw this.refuse(`has ${what}, which dbt would not write: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`);
  }

  /** Reads what the artifact says of itself. @throws PermanentSourceError when it is of another kind or version */
  readMetadata(entry: JsonEntry): ArtifactMetadata {
    const metadata = this.parse(entry, metadataSchema);
    const { schema, versions } = kinds[this.#kind];
    const [, found, version] = /\/dbt\/([a-z-]+)\/v(\d+)\.json$/.exec(metadata.dbt_schema_version) ?? [];
    if (found !== schema) throw this.refuse(`is something else: ${metadata.dbt_schema_version.slice(0, 200)}`);
    if (!versions.includes(Number(version))) {
      const known = versions.length === 1 ? `version ${versions[0]}` : `versions ${versions[0]} to ${versions.at(-1)}`;
      throw this.refuse(`has version ${version}, and ${known} can be read`);
    }
    return metadata;
  }

  /** What the artifact says of itself, reading no further than that. */
  async metadata(): Promise<ArtifactMetadata> {
    for await (const entry of this.entries({ section: (name) => (name === 'metadata' ? 'whole' : 'skip') })) {
      return this.readMetadata(entry);
    }
    throw this.refuse('does not say what it is: it has no "metadata"');
  }

  /** @param fault ends a sentence that begins with the artifact's name */
  refuse(fault: string): PermanentSourceError {
    return new PermanentSourceError('invalid-input', `${this.#name} ${fault}.`, { field: `/source/${this.#kind}` });
  }

  get #name(): string {
    return kinds[this.#kind].file;
  }
}

/** The artifacts that a source names. */
export type ArtifactSet = { manifest: Artifact } & Partial<Record<DbtArtifact, Artifact>>;

export function openArtifacts(options: DbtSource, context: SourceContext): ArtifactSet {
  const open = (kind: Exclude<DbtArtifact, 'manifest'>): Partial<Record<DbtArtifact, Artifact>> => {
    const objectId = options[kind];
    return objectId === undefined ? {} : { [kind]: new Artifact(kind, objectId, context) };
  };
  const manifest = new Artifact('manifest', options.manifest, context);
  return { manifest, ...open('catalog'), ...open('run_results'), ...open('sources') };
}
