import type { Principal } from '#domain/access/principal.ts';
import { LilyError } from '#domain/errors.ts';
import { savedSourceContext, type SourceTestResult } from '#domain/ingestion/saved-source.ts';
import {
  publicSource,
  sourceIdOf,
  sourceSchema,
  withKeptSecrets,
  type SourceOptions,
} from '#domain/ingestion/source.ts';
import type { SavedSourceDoc, Sources } from '#platform/mongo/sources.ts';
import type { SecretBox } from '#platform/secret-box.ts';
import { inTime } from '../http/outage.ts';
import { requireAllowedHosts } from './source-addresses.ts';
import type { SourceTests } from './source-tests.ts';

export interface SourceServiceDeps {
  sources: Sources;
  sourceTests: SourceTests;
  /** The schedules that read a source, a few of them. */
  schedulesOf(tenantId: string, savedSourceId: string): Promise<{ _id: string }[]>;
  secretBox: SecretBox;
  allowPrivateSources: boolean;
}

/** Keeps sources for their tenants: their options sealed, and never shown again. */
export class SourceService {
  readonly #deps: SourceServiceDeps;

  constructor(deps: SourceServiceDeps) {
    this.#deps = deps;
  }

  /** Saves a source. The same id again finds it. @throws LilyError `conflict`, `source-refused`, `source-unreachable` */
  async create({ tenantId, userId }: Principal, name: string, source: SourceOptions, id: string) {
    await requireAllowedHosts(source, this.#deps.allowPrivateSources);
    const what = this.#kept(tenantId, id, source);
    const saved = { _id: id, tenant_id: tenantId, name, ...what, created_by: userId };
    return inTime('MongoDB', this.#deps.sources.create(saved));
  }

  /** @throws LilyError `not-found` */
  async get(tenantId: string, id: string): Promise<SavedSourceDoc> {
    const saved = await inTime('MongoDB', this.#deps.sources.get(tenantId, id));
    if (saved === undefined) throw new LilyError('not-found', 'There is no such source.');
    return saved;
  }

  list(tenantId: string, page: { before?: string | undefined; limit: number }): Promise<SavedSourceDoc[]> {
    return inTime('MongoDB', this.#deps.sources.list(tenantId, page));
  }

  /**
   * Replaces name and options. Credentials that are not given are kept if the place and the account stay the same; without
   * `source` everything but the name is.
   */
  async replace({ tenantId, userId }: Principal, id: string, name: string, source: SourceOptions | undefined) {
    const before = await this.get(tenantId, id);
    const kept = this.#open(before);
    const now = source === undefined ? kept : withKeptSecrets(source, kept);
    await requireAllowedHosts(now, this.#deps.allowPrivateSources);
    const change = { name, ...this.#kept(tenantId, id, now), updated_by: userId };
    const after = await inTime('MongoDB', this.#deps.sources.replace(tenantId, id, before.revision, change));
    if (after === undefined) throw new LilyError('conflict', 'The source has just been changed. Look at it again.');
    return after;
  }

  /** @throws LilyError `conflict` while schedules read it */
  async remove(tenantId: string, id: string): Promise<void> {
    await this.get(tenantId, id);
    const users = await inTime('MongoDB', this.#deps.schedulesOf(tenantId, id));
    if (users.length > 0) {
      const named = users.map(({ _id }) => _id).join(', ');
      throw new LilyError('conflict', `Schedules read this source: ${named}. Delete them first.`);
    }
    await inTime('MongoDB', this.#deps.sources.remove(tenantId, id));
  }

  /** Has a worker open the source. @throws LilyError `not-found`; `unavailable` when no worker answers */
  async test(tenantId: string, id: string): Promise<SourceTestResult> {
    const { name, source } = await this.get(tenantId, id);
    return this.#deps.sourceTests.run({ tenantId, savedSourceId: id }, { name, type: source.type });
  }

  /** The whole options of a saved source. @throws LilyError `not-found` */
  async optionsOf(tenantId: string, id: string): Promise<SourceOptions> {
    return this.#open(await this.get(tenantId, id));
  }

  #open({ tenant_id, _id, sealed_source }: SavedSourceDoc): SourceOptions {
    return sourceSchema.parse(JSON.parse(this.#deps.secretBox.open(sealed_source, savedSourceContext(tenant_id, _id))));
  }

  #kept(tenantId: string, id: string, source: SourceOptions) {
    return {
      place: sourceIdOf(source),
      source: publicSource(source),
      sealed_source: this.#deps.secretBox.seal(JSON.stringify(source), savedSourceContext(tenantId, id)),
    };
  }
}
