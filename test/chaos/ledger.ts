import type { Discrepancy, Outcome } from '#test/support/consistency.ts';
import type { ParsedRecord } from '#test/support/consistency/expected-history.ts';

/** A record that Lily has acknowledged, as the client remembers it. */
export interface Acknowledged {
  tenantId: string;
  entityId: string;
  recordId: string;
  /** What was sent, as `recordText` says it; a deletion sends nothing. */
  content: string | undefined;
}

/** Every acknowledged record, in the order of the acknowledgements; an entity has one client, so its order is defined. */
export class Ledger {
  readonly entries: Acknowledged[] = [];
  /** Attempts that failed or got no answer: their records may have arrived all the same. */
  failedAttempts = 0;
  /** Attempts among them that got no answer at all for half a minute. */
  hangingAttempts = 0;
  /** Requests that Lily refused for good, for example an If-Match that no longer held. */
  refused = 0;
  /** Writes that asked to wait until they are applied. */
  waits = 0;
  /** Reads after a `Prefer: wait` that was answered with 200, and those that did not see the write. */
  readsAfterWrite = 0;
  readonly staleReads: string[] = [];

  acknowledge(entry: Acknowledged): void {
    this.entries.push(entry);
  }
}

export interface LedgerCheck {
  counts: Record<Outcome, number> & {
    acknowledged: number;
    entities: number;
    lost: number;
    arrivedUnacknowledged: number;
  };
  discrepancies: Discrepancy[];
}

/** Holds the ledger against what arrived: nothing acknowledged is missing, changed or in another order. */
export function checkLedger(
  ledger: Ledger,
  arrived: ReadonlyMap<string, ParsedRecord & { text: string | undefined }>,
  outcomes: ReadonlyMap<string, Outcome>,
): LedgerCheck {
  const discrepancies: Discrepancy[] = [];
  const find = (entry: Acknowledged, kind: string, detail: string): void => {
    discrepancies.push({ kind, tenantId: entry.tenantId, subject: entry.recordId, detail });
  };
  const counts = {
    acknowledged: 0,
    entities: 0,
    applied: 0,
    unchanged: 0,
    'dead-lettered': 0,
    lost: 0,
    arrivedUnacknowledged: 0,
  };
  const lastSeq = new Map<string, number>();
  const ids = new Set<string>();
  for (const entry of ledger.entries) {
    if (ids.has(entry.recordId)) continue;
    ids.add(entry.recordId);
    counts.acknowledged += 1;
    const record = arrived.get(entry.recordId);
    const outcome = outcomes.get(entry.recordId);
    if (record === undefined || outcome === undefined) {
      counts.lost += 1;
      find(entry, 'lost record', `of ${entry.entityId} was acknowledged and is nowhere`);
      continue;
    }
    counts[outcome] += 1;
    if (record.text !== entry.content)
      find(entry, 'altered record', `of ${entry.entityId} arrived with other content than was sent`);
    const key = `${entry.tenantId}|${entry.entityId}`;
    const before = lastSeq.get(key) ?? -1;
    if (record.raw.seq < before)
      find(entry, 'order lost', `of ${entry.entityId} stands before one that was acknowledged earlier`);
    lastSeq.set(key, Math.max(before, record.raw.seq));
  }
  for (const text of ledger.staleReads)
    discrepancies.push({
      kind: 'stale read',
      tenantId: '',
      subject: text,
      detail: 'a read after a write that was applied did not see it',
    });
  counts.entities = lastSeq.size;
  counts.arrivedUnacknowledged = [...arrived.keys()].filter((id) => !ids.has(id)).length;
  return { counts, discrepancies };
}
