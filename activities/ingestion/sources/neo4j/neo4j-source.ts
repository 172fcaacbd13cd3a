import { createHash } from 'node:crypto';
import { z } from 'zod';
import { defaultSampleNodes, neo4jRoot, type Neo4jSource } from '#domain/ingestion/sources/neo4j.ts';
import type { Source, SourceContext, SourcePage, SourceRecord } from '../../source.ts';
import { decodeCursor, encodeCursor } from '../shared/cursor.ts';
import { inScope, splitQualifiedName } from '../shared/names.ts';
import { readEnds, readOwners, readProperties, readRules, type Owner, type Properties } from './catalog.ts';
import { openNeo4jSession, type Neo4jSession } from './connection.ts';
import { databaseRecords, ownerRecords } from './records.ts';

/** The last label or relationship type that was read. */
const cursorSchema = z.strictObject({ kind: z.enum(['label', 'relationship_type']), name: z.string() });

/** A Neo4j database as a source: its labels in the order of their names, then its relationship types, each with its properties. */
export class Neo4jCatalog implements Source {
  readonly #options: Neo4jSource;
  readonly #context: SourceContext;
  readonly #root: string;
  readonly #sampleNodes: number;
  readonly #samples = new Map<string, Promise<Properties>>();
  #session: Promise<Neo4jSession> | undefined;
  #owners: Promise<Owner[]> | undefined;

  constructor(options: Neo4jSource, context: SourceContext) {
    this.#options = options;
    this.#context = context;
    this.#root = neo4jRoot(options);
    this.#sampleNodes = options.sample_nodes ?? defaultSampleNodes;
  }

  async check(): Promise<void> {
    const session = await this.#open();
    await readOwners(session);
    await readRules(session);
  }

  /** Of the schema that the server keeps. Properties are found in the data, and a property is proven gone before it is deleted. */
  async fingerprint(): Promise<string> {
    const session = await this.#open();
    const owners = await this.#ownersInScope(session);
    const line = JSON.stringify([session.database, owners, await readRules(session)]);
    return createHash('sha256').update(line).digest('hex');
  }

  async readPage(cursor: string | undefined, pageSize: number): Promise<SourcePage> {
    const session = await this.#open();
    const from = cursor === undefined ? undefined : decodeCursor(cursor, cursorSchema);
    const records: SourceRecord[] = from === undefined ? databaseRecords(this.#root, session) : [];
    const owners = await this.#ownersInScope(session);
    const labels = owners.filter(({ kind }) => kind === 'label').map(({ name }) => name);
    const rules = await readRules(session);
    let last: Owner | undefined = from;
    for (const owner of owners) {
      if (from !== undefined && !follows(owner, from)) continue;
      if (records.length >= pageSize && last !== undefined) return { records, nextCursor: encodeCursor(last) };
      const properties = await readProperties(session, owner, this.#sampleNodes);
      const ends = owner.kind === 'label' ? undefined : await readEnds(session, owner.name, labels);
      records.push(...ownerRecords([this.#root, session.database], owner, { properties, rules, ends }));
      last = owner;
    }
    return { records };
  }

  /**
   * What a sample did not show may still be there, so it is asked for by its name. Other editions hide from a user what it was
   * denied, and do not tell hidden from gone: of those nothing is deleted.
   */
  async covers({ entity_type, qualified_name }: { entity_type: string; qualified_name: string }): Promise<boolean> {
    const [root, database, name, property] = splitQualifiedName(qualified_name);
    if (root !== this.#root || name === undefined) return false;
    const session = await this.#open();
    if (session.edition !== 'community' || database !== session.database) return false;
    const kind = entity_type === 'label' || entity_type === 'property' ? 'label' : 'relationship_type';
    const owner: Owner = { kind, name };
    if (!this.#reads(owner)) return false;
    this.#owners ??= readOwners(session);
    const isThere = (await this.#owners).some((one) => one.kind === kind && one.name === name);
    if (property === undefined || !isThere) return !isThere;
    const { isWhole, types } = await this.#sampled(session, owner);
    return isWhole && !types.has(property);
  }

  async close(): Promise<void> {
    const session = await this.#session?.catch(() => undefined);
    this.#session = undefined;
    await session?.close();
  }

  #open(): Promise<Neo4jSession> {
    this.#session ??= openNeo4jSession(this.#options, this.#context);
    return this.#session;
  }

  #reads({ kind, name }: Owner): boolean {
    const { labels, exclude_labels, relationship_types, exclude_relationship_types } = this.#options;
    return kind === 'label'
      ? inScope(name, { include: labels, exclude: exclude_labels })
      : inScope(name, { include: relationship_types, exclude: exclude_relationship_types });
  }

  async #ownersInScope(session: Neo4jSession): Promise<Owner[]> {
    return (await readOwners(session)).filter((owner) => this.#reads(owner));
  }

  #sampled(session: Neo4jSession, owner: Owner): Promise<Properties> {
    const key = JSON.stringify(owner);
    const sample = this.#samples.get(key) ?? readProperties(session, owner, this.#sampleNodes);
    this.#samples.set(key, sample);
    return sample;
  }
}

/** Whether the owner comes behind the other in the order of a crawl. */
function follows(owner: Owner, other: Owner): boolean {
  if (owner.kind !== other.kind) return owner.kind === 'relationship_type';
  return owner.name > other.name;
}
