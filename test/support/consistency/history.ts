import type { Entity, EntityVersion } from '#domain/assets/entity.ts';
import type { ExpectedHistory } from './expected-history.ts';
import { contentText } from './expected-history.ts';
import type { Findings } from './findings.ts';

/** Checks that a history is well formed by itself: 1 to n, times that rise and join, one current version. */
export function checkChain(entityId: string, history: readonly EntityVersion[], findings: Findings): void {
  history.forEach((version, index) => {
    const next = history[index + 1];
    const name = `${entityId} v${version.version}`;
    if (version.version !== index + 1) findings.add('broken history', name, `stands at place ${index + 1}`);
    if (version.is_current !== (next === undefined)) {
      findings.add('broken history', name, `is_current is ${version.is_current}; there are ${history.length} versions`);
    }
    if ((version.valid_to?.getTime() ?? null) !== (next?.valid_from.getTime() ?? null)) {
      findings.add(
        'broken history',
        name,
        `ends ${version.valid_to?.toISOString()}, the next begins ${next?.valid_from.toISOString()}`,
      );
    }
    if (next !== undefined && next.valid_from.getTime() <= version.valid_from.getTime()) {
      findings.add('broken history', name, 'does not begin before the next version');
    }
  });
}

/** The entity as it is now must be its newest version. */
export function checkCurrent(entity: Entity | undefined, newest: EntityVersion, findings: Findings): void {
  const id = newest.entity_id;
  if (entity === undefined) {
    findings.add('missing entity', id, `has ${newest.version} versions but no current document`);
    return;
  }
  const deleted = newest.change === 'deleted';
  const same =
    entity.version === newest.version &&
    entity.deleted === deleted &&
    entity.content_hash === newest.content_hash &&
    entity.updated_at.getTime() === newest.valid_from.getTime() &&
    contentText(entity) === contentText(newest);
  if (!same) {
    findings.add(
      'wrong entity',
      id,
      `is at version ${entity.version} (deleted ${entity.deleted}), its history at ${newest.version} (${newest.change})`,
    );
  }
}

/** The stored versions must be exactly those that the records lead to, in their order. */
export function checkHistory(
  entityId: string,
  history: readonly EntityVersion[],
  expected: ExpectedHistory,
  findings: Findings,
): void {
  const length = Math.max(history.length, expected.versions.length);
  for (let index = 0; index < length; index++) {
    const stored = history[index];
    const wanted = expected.versions[index];
    const same =
      stored?.record_id === wanted?.recordId &&
      stored?.change === wanted?.change &&
      (stored === undefined || contentText(stored) === wanted?.content);
    if (same) continue;
    const found = stored === undefined ? 'nothing' : `${stored.change} by ${stored.record_id}`;
    const should = wanted === undefined ? 'nothing' : `${wanted.change} by ${wanted.recordId}`;
    const all = `${history.length} stored, ${expected.versions.length} expected`;
    findings.add('wrong history', `${entityId} v${index + 1}`, `is ${found}, should be ${should} (${all})`);
    return;
  }
}
