import type { Db } from 'mongodb';
import type { Driver } from 'neo4j-driver';
import type { EntityVersion } from '#domain/assets/entity.ts';
import { collections } from '#platform/mongo/collections.ts';
import { verifyConsistency, type ChangeLog, type Discrepancy } from '#test/support/consistency.ts';

/** A fault that was planted, and how the verification must name it. */
interface Planted {
  kind: Discrepancy['kind'];
  subject: string;
}

interface Stores {
  db: Db;
  driver: Driver;
  tenantId: string;
  changes: ChangeLog;
}

/**
 * Proves that the verification can fail: damages a system that was found consistent in one place of each kind, and says
 * which of the faults it did not notice.
 */
export async function sabotage(stores: Stores): Promise<{ planted: number; unnoticed: string[] }> {
  const { db, driver, tenantId } = stores;
  const { planted, changes } = await plant(stores);
  const { discrepancies } = await verifyConsistency({ db, driver, tenantIds: [tenantId], changes });
  const noticed = ({ kind, subject }: Planted): boolean =>
    discrepancies.some((one) => one.kind === kind && one.subject.startsWith(subject));
  return {
    planted: planted.length,
    unnoticed: planted.filter((one) => !noticed(one)).map(({ kind, subject }) => `${kind} at ${subject}`),
  };
}

async function plant({ db, driver, tenantId, changes }: Stores): Promise<{ planted: Planted[]; changes: ChangeLog }> {
  const all = collections(db);
  const planted: Planted[] = [];
  const victims = await victimsOf(db, tenantId);
  const take = (wanted: (version: EntityVersion) => boolean = () => true): EntityVersion & { _id: string } => {
    const index = victims.findIndex(wanted);
    const [victim] = victims.splice(index, 1);
    if (index === -1 || victim === undefined) throw new Error('nothing is left to damage');
    return victim;
  };

  const altered = take();
  await all.entityVersions.updateOne({ _id: altered._id }, { $set: { 'attributes.description': 'altered' } });
  planted.push({ kind: 'wrong history', subject: altered.entity_id });

  const lost = take();
  await all.entityVersions.deleteOne({ _id: lost._id });
  planted.push(
    { kind: 'wrong outcome', subject: lost.record_id },
    { kind: 'invented event', subject: `${lost.entity_id}:${lost.version}` },
  );

  const late = take();
  await all.entityVersions.updateOne({ _id: late._id }, { $set: { valid_to: new Date(0) } });
  planted.push({ kind: 'broken history', subject: late.entity_id });

  const stale = take();
  await all.entities.updateOne({ _id: stale.entity_id }, { $inc: { version: -1 } });
  planted.push({ kind: 'wrong entity', subject: stale.entity_id });

  const unlinked = take((version) => version.upstream.length > 0);
  await driver.executeQuery('MATCH (:Node {tenant_id: $tenantId})-[r {owner: $id}]-() DELETE r', {
    tenantId,
    id: unlinked.entity_id,
  });
  planted.push({ kind: 'wrong edges', subject: unlinked.entity_id });

  const outdated = take();
  await driver.executeQuery('MATCH (n:Node {tenant_id: $tenantId, node_id: $id}) SET n.version = n.version - 1', {
    tenantId,
    id: outdated.entity_id,
  });
  planted.push({ kind: 'wrong node', subject: outdated.entity_id });

  const { records } = await driver.executeQuery(
    'MATCH (n:Pending {tenant_id: $tenantId}) WITH n LIMIT 1 SET n:Entity RETURN n.node_id AS id',
    { tenantId },
  );
  planted.push({ kind: 'invented node', subject: String(records[0]?.get('id')) });

  const letter = await all.deadLetters.findOneAndDelete({ tenant_id: tenantId });
  planted.push({ kind: 'wrong outcome', subject: letter?._id ?? '' });

  const silent = take();
  planted.push({ kind: 'missing event', subject: `${silent.entity_id}:${silent.version}` });
  const swapped = take();
  planted.push({ kind: 'event out of order', subject: swapped.entity_id });
  return { planted, changes: damaged(changes, silent, swapped.entity_id) };
}

/** The log without the event of one version, and with another entity's events backwards. */
function damaged(changes: ChangeLog, silent: EntityVersion, swapped: string): ChangeLog {
  const backwards = changes.filter(({ data }) => data.metadata_id === swapped).toReversed();
  return changes
    .filter(({ id }) => id !== `${silent.entity_id}:${silent.version}`)
    .map((event) => (event.data.metadata_id === swapped ? (backwards.shift() ?? event) : event));
}

/** Newest versions of living entities with some history. */
async function victimsOf(db: Db, tenantId: string): Promise<(EntityVersion & { _id: string })[]> {
  return collections(db)
    .entityVersions.find({ tenant_id: tenantId, is_current: true, change: 'updated', version: { $gte: 3 } })
    .sort({ _id: 1 })
    .limit(200)
    .toArray();
}
