import { limits } from '#domain/limits.ts';
import type { Artifact, ArtifactMetadata, ArtifactSet } from './artifact.ts';
import { byUniqueId, companions, type Companion } from './companions.ts';
import { nodeSections } from './names.ts';
import { catalogErrorsSchema, nodeSchema, type DbtNode, type DbtOwner } from './schemas.ts';

/** Reasons why an enumeration is not complete that are worth saying. */
const mostReasons = 20;

/** What a run has to know of the artifacts as a whole. */
export interface Survey {
  metadata: ArtifactMetadata;
  groups: DbtNode[];
  /** Who owns groups and exposures. */
  owners: DbtOwner[];
  /** What should be there and is not, a few of them in one sentence each. */
  missing: string[];
}

/**
 * Reads every artifact from end to end before anything of it is applied: each is of its kind and of a version that is known, is
 * whole, and holds what dbt writes; no node comes twice, none is made from itself, and the artifacts belong together.
 * Holds the ids of the manifest's nodes, and not much more.
 *
 * @throws PermanentSourceError that names the artifact and what is wrong with it
 */
export async function surveyArtifacts(artifacts: ArtifactSet): Promise<Survey> {
  const { graph, ...about } = await surveyManifest(artifacts.manifest);
  refuseCycle(artifacts.manifest, graph);
  const missing: string[] = [];
  for (const [id, upstream] of graph) {
    const absent = upstream.find((one) => !graph.has(one));
    if (absent !== undefined && missing.length < mostReasons) {
      missing.push(`${id} depends on ${absent}, which the manifest does not hold`);
    }
  }
  for (const kind of companions) {
    const artifact = artifacts[kind];
    if (artifact !== undefined) missing.push(...(await surveyCompanion(artifact, kind, graph)));
  }
  return { ...about, missing };
}

/** Unique ids of what the manifest holds, and of what the catalogue says the columns of. */
export interface ProjectIds {
  manifest: ReadonlySet<string>;
  catalog: ReadonlySet<string>;
}

/** Reads keys alone: {@link surveyArtifacts} has made sure that they are the ids of what they stand for. */
export async function readIds({ manifest, catalog }: ArtifactSet): Promise<ProjectIds> {
  return {
    manifest: await keysOf(manifest, nodeSections),
    catalog: catalog === undefined ? new Set() : await keysOf(catalog, ['nodes', 'sources']),
  };
}

async function keysOf(artifact: Artifact, sections: readonly string[]): Promise<Set<string>> {
  const keys = new Set<string>();
  const entries = artifact.entries({
    section: (name) => (sections.includes(name) ? 'members' : 'skip'),
    member: (_section, key) => {
      keys.add(key);
      return false;
    },
  });
  for await (const _entry of entries) continue;
  return keys;
}

/** Every node of the manifest, and what it depends on. */
type Graph = Map<string, string[]>;

async function surveyManifest(manifest: Artifact): Promise<Omit<Survey, 'missing'> & { graph: Graph }> {
  const graph: Graph = new Map();
  const [groups, owners, sections]: [DbtNode[], DbtOwner[], Set<string>] = [[], [], new Set()];
  let metadata: ArtifactMetadata | undefined;
  const entries = manifest.entries({
    section: (name) => {
      sections.add(name);
      return name === 'metadata' ? 'whole' : nodeSections.includes(name) || name === 'groups' ? 'members' : 'skip';
    },
  });
  for await (const entry of entries) {
    if (entry.section === 'metadata') {
      metadata = manifest.readMetadata(entry);
      continue;
    }
    const node = manifest.parse(entry, nodeSchema);
    if (node.unique_id !== entry.key) throw manifest.refuse(`calls one node both ${entry.key} and ${node.unique_id}`);
    if (graph.has(node.unique_id)) throw manifest.refuse(`has ${node.unique_id} twice`);
    if (graph.size >= limits.dbtNodes) throw manifest.refuse(`has more than ${limits.dbtNodes} nodes`);
    graph.set(node.unique_id, node.depends_on?.nodes ?? []);
    if (entry.section === 'groups') groups.push(node);
    if (node.owner) owners.push(node.owner);
  }
  if (metadata === undefined) throw manifest.refuse('does not say what it is: it has no "metadata"');
  if (!sections.has('nodes')) throw manifest.refuse('has no "nodes"');
  return { graph, metadata, groups, owners };
}

/** Walks without recursion: a chain may be as long as the manifest. */
function refuseCycle(manifest: Artifact, graph: Graph): void {
  const done = new Set<string>();
  for (const start of graph.keys()) {
    const path: { id: string; next: number }[] = [{ id: start, next: 0 }];
    const onPath = new Set<string>([start]);
    for (let at = path.at(-1); at !== undefined; at = path.at(-1)) {
      const upstream = done.has(at.id) ? [] : (graph.get(at.id) ?? []);
      const id = upstream[at.next];
      if (id === undefined) {
        done.add(at.id);
        onPath.delete(at.id);
        path.pop();
        continue;
      }
      at.next += 1;
      if (onPath.has(id)) {
        const circle = path.slice(path.findIndex((one) => one.id === id)).map((one) => one.id);
        throw manifest.refuse(`has nodes that depend on themselves: ${[...circle.slice(0, 10), id].join(' ← ')}`);
      }
      if (done.has(id)) continue;
      path.push({ id, next: 0 });
      onPath.add(id);
    }
  }
}

/** A companion of which no entry is in the manifest was made for another project. Answers with what it says is missing in it. */
async function surveyCompanion(artifact: Artifact, kind: Companion, graph: Graph): Promise<string[]> {
  let [entries, shared, known] = [0, 0, false];
  const missing: string[] = [];
  for await (const { uniqueId, entry } of byUniqueId(artifact, kind)) {
    if (uniqueId !== undefined) {
      entries += 1;
      if (graph.has(uniqueId)) shared += 1;
      if (entries > limits.dbtNodes) throw artifact.refuse(`has more than ${limits.dbtNodes} entries`);
    } else if (entry.section === 'metadata') {
      artifact.readMetadata(entry);
      known = true;
    } else if (entry.section === 'errors') {
      const errors = artifact.parse(entry, catalogErrorsSchema) ?? [];
      missing.push(
        ...errors.slice(0, mostReasons).map((error) => `dbt could not read a part of the catalogue: ${error}`),
      );
    }
  }
  if (!known) throw artifact.refuse('does not say what it is: it has no "metadata"');
  if (entries > 0 && shared === 0)
    throw artifact.refuse('was made for another project: the manifest has none of its nodes');
  return missing;
}
