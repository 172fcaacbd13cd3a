import { hash } from 'node:crypto';
import { findFault } from '#domain/assets/attribute-limits.ts';
import type { Json } from '#domain/assets/entity.ts';
import { limits } from '#domain/limits.ts';
import type { Facets } from '#domain/openlineage/event.ts';

/** A facet as it was stated last, and the digest of its body. `body` is null where it was taken back. */
export interface StatedFacet {
  name: string;
  body: Record<string, unknown> | null;
  digest: string;
}

/** A facet with its digest. */
export function stated(name: string, body: Facets[string]): StatedFacet {
  const gone = body === null || body['_deleted'] === true;
  return { name, body: gone ? null : body, digest: gone ? '-' : hash('sha1', JSON.stringify(body), 'base64url') };
}

/** Of the facets that were said, those that differ from what has been applied. New ones are taken up to the limit. */
export function changedFacets(said: ReadonlyMap<string, Facets[string]>, applied: readonly string[]): StatedFacet[] {
  const memos = new Set(applied);
  const names = new Set(applied.map((memo) => memo.slice(memo.indexOf(' ') + 1)));
  const changed: StatedFacet[] = [];
  for (const [name, body] of said) {
    if (!names.has(name) && names.size >= limits.facetsPerEntity) continue;
    names.add(name);
    const facet = stated(name, body);
    if (!memos.has(memoOf(facet))) changed.push(facet);
  }
  return changed;
}

/** How a facet that was applied is remembered. */
export function memoOf({ name, digest }: StatedFacet): string {
  return `${digest} ${name}`;
}

/** The memos after facets were stated on top of those that were known. */
export function memosAfter(known: readonly string[], facets: readonly StatedFacet[]): string[] {
  const byName = new Map(known.map((memo) => [memo.slice(memo.indexOf(' ') + 1), memo]));
  for (const facet of facets) byName.set(facet.name, memoOf(facet));
  return [...byName.values()];
}

/** Facets as an entity or a run may keep them: what is too large, or could not be stored, is said to be left out. */
export function keptFacets(facets: Facets | null | undefined): Facets {
  return Object.fromEntries(
    Object.entries(facets ?? {})
      .filter(([name]) => isKeepable(name))
      .map(([name, body]) => [name, body === null ? null : keptBody(body)]),
  );
}

/** The body of a facet as it may be kept. */
export function keptBody(body: Record<string, unknown>): { [key: string]: Json } {
  const omitted = omissionOf(body, limits.facetBytes);
  return omitted === undefined ? (body as { [key: string]: Json }) : { _omitted: omitted };
}

/** A list out of a facet as an entity may keep it. */
export function keptList(list: Record<string, unknown>[]): Json[] {
  const omitted = omissionOf(list, limits.recordBytes);
  return omitted === undefined ? (list as Json[]) : [{ _omitted: omitted }];
}

/** Why something cannot be kept. */
function omissionOf(body: object, maxBytes: number): string | undefined {
  const bytes = Buffer.byteLength(JSON.stringify(body));
  if (bytes > maxBytes) return `has ${bytes} bytes; the event has all of it`;
  const fault = findFault(body);
  return fault === undefined ? undefined : `${fault.message}; the event has all of it`;
}

export function isKeepable(name: string): boolean {
  return name.length <= limits.tagLength && name !== '__proto__' && !name.includes('\u0000');
}
