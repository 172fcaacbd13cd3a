import type { IngestBody } from '#domain/assets/record.ts';

/** A record of about 400 bytes, as a catalogue would send it. Every fourth has an upstream, every second a parent. */
export function tableBody(prefix: string, index: number, revision = 0): IngestBody {
  return {
    entity_type: 'table',
    qualified_name: `${prefix}.t${index}`,
    attributes: {
      name: `t${index}`,
      description: `Table ${index} of ${prefix}, revision ${revision}, with a description of ordinary length that says what it holds`,
      created_by: 'bench',
      tags: ['bench', `team-${index % 7}`],
      owner: `owner-${index % 50}`,
      classification: index % 5 === 0 ? 'restricted' : 'internal',
      refreshed_every_minutes: 60,
    },
    ...(index % 2 === 0 && { parent: { entity_type: 'schema', qualified_name: `${prefix}.s${index % 100}` } }),
    ...(index % 4 === 0 &&
      index > 0 && { upstream: [{ entity_type: 'table', qualified_name: `${prefix}.t${index - 1}` }] }),
  };
}
