import type { EntityVersion } from '#domain/assets/entity.ts';
import type { IncidentReport } from '#domain/incidents/incident.ts';
import { lineageTypes } from '#domain/openlineage/names.ts';
import type { BatchRef } from '#domain/transformation/batch.ts';
import type { LineageNodes } from '#platform/mongo/lineage-nodes.ts';
import type { OpenLineageState } from '#platform/mongo/openlineage-state.ts';
import type { Expansion } from './expand.ts';
import { nodeView } from './node-view.ts';

export interface SettleDeps {
  openLineage: Pick<OpenLineageState, 'settle' | 'forget'>;
  lineageNodes: Pick<LineageNodes, 'put' | 'noteRuns'>;
  incidents: { report(tenantId: string, report: IncidentReport): Promise<unknown> };
}

const reportsAtOnce = 10;

/** What an expansion leaves to be done once its records are stored. */
export type Settlement = Omit<Expansion, 'records' | 'letters'>;

/** Brings what is kept for readers and writers of lineage in line with the versions that a batch, of any door, has made. */
export async function settleLineage(
  deps: SettleDeps,
  { tenantId, batchId }: BatchRef,
  versions: readonly EntityVersion[],
  { applied, latestRuns, reports, eventIds, refusedEntities }: Settlement,
): Promise<void> {
  // Before it is noted that they were made: a report that is made again has no effect, one that is missed would be lost.
  for (let start = 0; start < reports.length; start += reportsAtOnce) {
    const some = reports.slice(start, start + reportsAtOnce);
    await Promise.all(some.map((report) => deps.incidents.report(tenantId, report)));
  }
  const newest = new Map(versions.map((version) => [version.entity_id, version]));
  const nodes = [...newest.values()].flatMap((version) => nodeView(version) ?? []);
  await deps.lineageNodes.put(tenantId, nodes);
  await deps.lineageNodes.noteRuns(tenantId, latestRuns);
  await deps.openLineage.forget(tenantId, deletedByOthers(newest, eventIds));
  // The last: once it is settled, nothing more comes of the batch's events.
  const partly = applied.map((state) => ({ ...state, certain: !refusedEntities.has(state.entityId) }));
  await deps.openLineage.settle(tenantId, batchId, partly);
}

/**
 * What somebody deleted that events may bring back: the next one has to state it anew. A column that went because an event
 * said that its schema lost it is no such case.
 */
function deletedByOthers(newest: ReadonlyMap<string, EntityVersion>, eventIds: ReadonlySet<string>): string[] {
  return [...newest.values()]
    .filter(({ change, record_id: recordId }) => change === 'deleted' && !eventIds.has(recordId))
    .flatMap(({ entity_type: type, entity_id: id, parent }) => {
      if (type === lineageTypes.dataset || type === lineageTypes.job) return [id];
      return type === lineageTypes.column && parent !== undefined ? [parent.metadata_id] : [];
    });
}
