import type { Artifact, ArtifactSet } from './artifact.ts';
import type { JsonEntry } from './entry-scanner.ts';
import type { NodeFacts } from './node-record.ts';
import { catalogEntrySchema, freshnessSchema, runResultSchema } from './schemas.ts';

/** The artifacts that add to the manifest. */
export const companions = ['catalog', 'run_results', 'sources'] as const;
export type Companion = (typeof companions)[number];

/** An entry of a companion; without an id when it is about the artifact itself. */
interface CompanionEntry {
  uniqueId: string | undefined;
  entry: JsonEntry;
  facts: NodeFacts;
}

/** What a companion says of the manifest's nodes. Entries that are not wanted are not even parsed. */
export async function* byUniqueId(
  artifact: Artifact,
  kind: Companion,
  wanted?: { has: (uniqueId: string) => boolean },
): AsyncIterable<CompanionEntry> {
  const members = kind === 'catalog' ? ['nodes', 'sources'] : ['results'];
  const entries = artifact.entries({
    section: (name) => (members.includes(name) ? 'members' : ['metadata', 'errors'].includes(name) ? 'whole' : 'skip'),
    member: (section, key) => section === 'results' || (wanted?.has(key) ?? true),
  });
  for await (const entry of entries) {
    if (!members.includes(entry.section)) yield { uniqueId: undefined, entry, facts: {} };
    else if (wanted === undefined || entry.section !== 'results' || mayBeAbout(entry.text, wanted)) {
      const { uniqueId, facts } = read(artifact, kind, entry);
      if (wanted?.has(uniqueId) ?? true) yield { uniqueId, entry, facts };
    }
  }
}

/** A key stands in JSON as it is: quotes inside of a text have a backslash before them. Deeper down it may come again. */
const idKey = /"unique_id"\s*:\s*"((?:[^"\\]|\\.)*)"/g;

function mayBeAbout(text: string, wanted: { has: (uniqueId: string) => boolean }): boolean {
  for (const [, id = ''] of text.matchAll(idKey)) if (id.includes('\\') || wanted.has(id)) return true;
  return false;
}

function read(artifact: Artifact, kind: Companion, entry: JsonEntry): { uniqueId: string; facts: NodeFacts } {
  switch (kind) {
    case 'catalog':
      return { uniqueId: entry.key, facts: { catalog: artifact.parse(entry, catalogEntrySchema) } };
    case 'run_results': {
      const run = artifact.parse(entry, runResultSchema);
      return { uniqueId: run.unique_id, facts: { run } };
    }
    case 'sources': {
      const freshness = artifact.parse(entry, freshnessSchema);
      return { uniqueId: freshness.unique_id, facts: { freshness } };
    }
  }
}

/** Everything that the companions say of the wanted nodes. */
export async function readFacts(
  artifacts: ArtifactSet,
  kinds: readonly Companion[],
  wanted: ReadonlySet<string>,
): Promise<Map<string, NodeFacts>> {
  const facts = new Map<string, NodeFacts>();
  for (const kind of kinds) {
    const artifact = artifacts[kind];
    if (artifact === undefined || wanted.size === 0) continue;
    for await (const one of byUniqueId(artifact, kind, wanted)) {
      if (one.uniqueId !== undefined) facts.set(one.uniqueId, { ...facts.get(one.uniqueId), ...one.facts });
    }
  }
  return facts;
}
