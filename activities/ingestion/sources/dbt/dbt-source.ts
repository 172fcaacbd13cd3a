import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { IncidentReport } from '#domain/incidents/incident.ts';
import type { DbtSource } from '#domain/ingestion/sources/dbt.ts';
import { limits } from '#domain/limits.ts';
import type { Source, SourceContext, SourcePage, SourceRecord, SourceReject } from '../../source.ts';
import { decodeCursor, encodeCursor } from '../shared/cursor.ts';
import { present } from './attribute-values.ts';
import { openArtifacts, type ArtifactSet } from './artifact.ts';
import { companions, readFacts } from './companions.ts';
import type { ScanPlace } from './entry-scanner.ts';
import { findings } from './findings.ts';
import { isHook, nodeSections, ProjectNames, resourceTypeOf } from './names.ts';
import { nodeRecords, type NodeFacts } from './node-record.ts';
import { groupRecord, ownerRecords } from './owners.ts';
import { nodeSchema, type DbtNode } from './schemas.ts';
import { readIds, surveyArtifacts, type ProjectIds, type Survey } from './survey.ts';

/** Where a page begins in the manifest; empty for its beginning. The first page, which has no cursor, is about the project as a whole. */
const cursorSchema = z.strictObject({
  from: z
    .strictObject({ offset: z.int().positive(), section: z.string(), index: z.int().optional() })
    .transform(({ index, ...place }): ScanPlace => (index === undefined ? place : { ...place, index }))
    .optional(),
});

/** Columns that a relation of the catalogue is taken to have before it is read. */
const usualColumns = 20;

interface ReadNode {
  node: DbtNode;
  next: ScanPlace | undefined;
}

/** The artifacts of one dbt project as a source: its nodes in the order of the manifest, each followed by its columns. */
export class DbtArtifacts implements Source {
  readonly #names: ProjectNames;
  readonly #artifacts: ArtifactSet;
  #ids: Promise<ProjectIds> | undefined;

  constructor(options: DbtSource, context: SourceContext) {
    this.#names = new ProjectNames(options.name, options.warehouse);
    this.#artifacts = openArtifacts(options, context);
  }

  /** That the artifacts are there and of versions that can be read. All of them are read before the first page is given out. */
  async check(): Promise<void> {
    for (const artifact of Object.values(this.#artifacts)) {
      await artifact.stat();
      await artifact.metadata();
    }
  }

  /** Stored contents never change, so what is read is what was read. */
  async fingerprint(): Promise<string> {
    const digests = Object.entries(this.#artifacts).map(async ([kind, artifact]) => [
      kind,
      (await artifact.stat()).sha256,
    ]);
    return createHash('sha256')
      .update(JSON.stringify(await Promise.all(digests)))
      .digest('hex');
  }

  async readPage(cursor: string | undefined, pageSize: number): Promise<SourcePage> {
    if (cursor === undefined) return this.#projectPage(await surveyArtifacts(this.#artifacts));
    const { from } = decodeCursor(cursor, cursorSchema);
    const { nodes, more } = await this.#readNodes(from, pageSize);
    const facts = await this.#factsOf(nodes);
    const page: SourcePage & { rejects: SourceReject[]; incomplete: string[] } = {
      records: [],
      rejects: [],
      incomplete: [],
    };
    let taken = 0;
    for (const { node } of nodes) {
      if (page.records.length >= pageSize) break;
      this.#add(page, nodeRecords(node, facts.get(node.unique_id) ?? {}, this.#names));
      taken += 1;
    }
    const place = nodes[taken - 1]?.next;
    const { bytes } = await this.#artifacts.manifest.stat();
    const complete = !more && taken === nodes.length;
    return {
      ...page,
      progress: { done: complete ? bytes : (place?.offset ?? 0), total: bytes },
      ...(!complete && place !== undefined && { nextCursor: encodeCursor({ from: place }) }),
    };
  }

  /** What is wrong in the warehouse according to dbt, and what no longer is. */
  findings(): AsyncIterable<IncidentReport> {
    return findings(this.#artifacts, this.#names);
  }

  /**
   * Columns may stand in the catalogue alone, and a catalogue may be of some models only (`--select`) or of none
   * (`--empty-catalog`). So a column is missing where its node is in the catalogue, or in the manifest no longer.
   */
  async covers({ entity_type, qualified_name }: { entity_type: string; qualified_name: string }): Promise<boolean> {
    if (!this.#names.has(qualified_name)) return false;
    if (entity_type !== 'column') return true;
    const uniqueId = this.#names.nodeOfColumn(qualified_name);
    if (uniqueId === undefined) return false;
    this.#ids ??= readIds(this.#artifacts);
    const { manifest, catalog } = await this.#ids;
    return catalog.has(uniqueId) || !manifest.has(uniqueId);
  }

  async close(): Promise<void> {
    // Nothing stays open between two questions.
  }

  #projectPage({ metadata, groups, owners, missing }: Survey): SourcePage {
    const project: SourceRecord = {
      ...this.#names.project,
      attributes: {
        name: metadata.project_name || this.#names.root,
        ...present({ adapter_type: metadata.adapter_type, dbt_version: metadata.dbt_version }),
      },
      statistics: present({ generated_at: metadata.generated_at, invocation_id: metadata.invocation_id }),
    };
    const records = [
      project,
      ...ownerRecords(owners, this.#names),
      ...groups.map((group) => groupRecord(group, this.#names)),
    ];
    return { records, incomplete: missing, nextCursor: encodeCursor({}) };
  }

  /** The nodes of about one page, by what is known of them before the catalogue is looked at. */
  async #readNodes(from: ScanPlace | undefined, pageSize: number): Promise<{ nodes: ReadNode[]; more: boolean }> {
    const { manifest, catalog } = this.#artifacts;
    const nodes: ReadNode[] = [];
    let [records, characters] = [0, 0];
    const section = (name: string): 'members' | 'skip' => (nodeSections.includes(name) ? 'members' : 'skip');
    for await (const entry of manifest.entries({ section }, from)) {
      if (records >= pageSize || characters >= limits.dbtPageBytes) return { nodes, more: true };
      const node = manifest.parse(entry, nodeSchema);
      if (isHook(node.unique_id)) continue;
      const columns = Object.keys(node.columns ?? {}).length;
      records += 1 + (catalog !== undefined && isRelation(node) ? Math.max(columns, usualColumns) : columns);
      characters += entry.text.length;
      nodes.push({ node, next: entry.next });
    }
    return { nodes, more: false };
  }

  async #factsOf(nodes: ReadNode[]): Promise<Map<string, NodeFacts>> {
    const ids = new Set(nodes.map(({ node }) => node.unique_id));
    const relations = nodes.some(({ node }) => isRelation(node));
    const sources = nodes.some(({ node }) => resourceTypeOf(node.unique_id) === 'source');
    const useful = companions.filter((kind) => (kind === 'catalog' ? relations : kind === 'sources' ? sources : true));
    return readFacts(this.#artifacts, useful, ids);
  }

  /** A record that is too large to be kept is a dead letter, and the run cannot say that it read everything. */
  #add(
    page: { records: SourceRecord[]; rejects: SourceReject[]; incomplete: string[] },
    records: SourceRecord[],
  ): void {
    for (const record of records) {
      const body = JSON.stringify(record);
      if (Buffer.byteLength(body) <= limits.recordBytes) page.records.push(record);
      else {
        const detail = `${record.qualified_name} has more than ${limits.recordBytes} bytes`;
        page.rejects.push({
          detail,
          body: JSON.stringify({ ...record, attributes: { name: record.attributes?.['name'] } }),
        });
        page.incomplete.push(detail);
      }
    }
  }
}

function isRelation(node: DbtNode): boolean {
  return ['model', 'seed', 'snapshot', 'source'].includes(resourceTypeOf(node.unique_id));
}
