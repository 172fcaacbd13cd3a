import { Context } from '@temporalio/activity';
import type { EntityVersion } from '#domain/assets/entity.ts';
import { limits } from '#domain/limits.ts';
import {
  impactEvent,
  type ImpactCause,
  type PropagationRequest,
  type PropagationResult,
} from '#domain/propagation/impact.ts';
import { entityKey, topics } from '#domain/topics.ts';
import { propagationWorkflowId } from '#domain/transformation/batch.ts';
import type { GroupCommitProducer } from '#platform/kafka/producer.ts';
import type { Entities } from '#platform/mongo/entities.ts';
import type { Lineage } from '#platform/neo4j/lineage.ts';
import { findAffected, type Affected } from './affected.ts';

export interface PropagationDeps {
  entities: Pick<Entities, 'versionsOfBatch'>;
  lineage: Pick<Lineage, 'downstreamOf'>;
  producer: Pick<GroupCommitProducer, 'send'>;
}

export type PropagationActivities = ReturnType<typeof propagationActivities>;

/** Impact events in one send. */
const chunk = 500;

/** The side effects of `propagateChanges`. */
export function propagationActivities(deps: PropagationDeps) {
  return {
    /**
     * Publishes one impact event for each entity downstream of the batch's changes. After a crash it goes on behind the last
     * heartbeat; events that come twice have the same id.
     */
    async emitImpacts(request: PropagationRequest): Promise<PropagationResult> {
      const { tenantId, batchId } = request;
      const context = Context.current();
      // By id and not by number: the graph may have changed since the attempt before, but ids keep their order.
      const lastSent = String(context.info.heartbeatDetails ?? '');
      const roots = newestChanges(await deps.entities.versionsOfBatch(tenantId, batchId));
      const affected = await findAffected(roots, limits.impactDepth, async (ids) => {
        context.heartbeat(lastSent);
        return deps.lineage.downstreamOf(tenantId, ids);
      });
      const timestamp = new Date(context.info.scheduledTimestampMs).toISOString();
      const open = affected.filter(({ node }) => node.metadata_id > lastSent);
      for (let start = 0; start < open.length; start += chunk) {
        const part = open.slice(start, start + chunk);
        await deps.producer.send(
          topics.impacts,
          part.map((one) => impactMessage(tenantId, batchId, one, timestamp)),
        );
        context.heartbeat(part.at(-1)?.node.metadata_id);
      }
      return { roots: roots.length, affected: affected.length };
    },
  };
}

function newestChanges(versions: EntityVersion[]): Omit<ImpactCause, 'distance'>[] {
  const newest = new Map(versions.map((version) => [version.entity_id, version]));
  return [...newest.values()].map(({ entity_id, version, change }) => ({ metadata_id: entity_id, version, change }));
}

function impactMessage(tenantId: string, batchId: string, affected: Affected, timestamp: string) {
  const { node, causes, moreCauses } = affected;
  const workflowId = propagationWorkflowId(batchId);
  const event = impactEvent(tenantId, workflowId, {
    metadata_id: node.metadata_id,
    entity_type: node.entity_type,
    qualified_name: node.qualified_name,
    causes,
    more_causes: moreCauses,
    timestamp,
    workflow_id: workflowId,
  });
  return { key: entityKey(tenantId, node.metadata_id), value: JSON.stringify(event) };
}
