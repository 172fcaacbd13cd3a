import type { SourceRecord } from '../../source.ts';
import { byCodeUnit } from '../shared/names.ts';
import type { ProjectNames } from './names.ts';
import { described, present } from './attribute-values.ts';
import type { DbtNode, DbtOwner } from './schemas.ts';

/** What an owner is known by: the address, which is unique, or else the name. */
export function ownerKey(owner: DbtOwner | null | undefined): string | undefined {
  return owner?.email?.find((email) => email !== '') ?? (owner?.name || undefined);
}

/** The owner for people. Models have none of their own, and by custom say it in `meta.owner`. */
export function ownerText(node: DbtNode): string | undefined {
  const custom = node.meta?.['owner'];
  return node.owner?.name || ownerKey(node.owner) || (typeof custom === 'string' ? custom : undefined);
}

/** Everybody who owns a group or an exposure, once each. */
export function ownerRecords(everybody: DbtOwner[], names: ProjectNames): SourceRecord[] {
  const owners = new Map<string, Set<string>>();
  for (const owner of everybody) {
    const key = ownerKey(owner);
    if (key === undefined) continue;
    owners.set(key, (owners.get(key) ?? new Set()).add(owner.name || key));
  }
  return [...owners].map(([key, called]) => ({
    ...names.owner(key),
    attributes: {
      name: [...called].toSorted(byCodeUnit)[0] ?? key,
      ...present({ email: key.includes('@') ? key : null }),
    },
    parent: names.project,
  }));
}

export function groupRecord(group: DbtNode, names: ProjectNames): SourceRecord {
  const owner = ownerKey(group.owner);
  return {
    ...names.node(group.unique_id),
    attributes: {
      name: group.name,
      ...present({ description: described(group.description), owner: ownerText(group), unique_id: group.unique_id }),
    },
    parent: names.project,
    ...(owner !== undefined && { relationships: [{ relationship_type: 'OWNED_BY', target: names.owner(owner) }] }),
  };
}
