import type { StatedRecord } from '#domain/assets/record.ts';
import type { IncidentReport } from '#domain/incidents/incident.ts';
import type { SourceProgress } from '#domain/ingestion/run.ts';
import type { ObjectStore } from '#platform/objects/object-store.ts';

/** What a source says about one entity. The run adds which source it came from. */
export type SourceRecord = Omit<StatedRecord, 'op' | 'source_id' | 'expected_version'>;

export interface SourcePage {
  /** Containers before what they contain. */
  records: SourceRecord[];
  /** Where each of the records stands, such as `row 17`; absent where a source has no such places. */
  places?: string[];
  /** What the source holds but cannot be made a record of: each becomes a dead letter. */
  rejects?: SourceReject[];
  /**
   * What of this page could not be read though it is there, each in one sentence: `schema hr: permission denied`. The run goes
   * on, ends as `degraded` with these reasons, and deletes nothing. Without it, everything there is was read.
   */
  incomplete?: string[];
  /** How far the source has been read after this page, in whatever unit it counts (rows, bytes, relations), where it can tell. */
  progress?: SourceProgress;
  /** Where the next page begins; absent after the last one. Opaque to everybody but the source. */
  nextCursor?: string;
}

/** A row, message or the like that cannot be made a record of. */
export interface SourceReject {
  /** Why, in one sentence that says where it stands: `row 17: …`. */
  detail: string;
  /** What stood there, so that it can be mended and replayed. */
  body: string;
}

/**
 * Something that can be crawled. Each activity opens the source, uses it, and closes it: a source keeps nothing from one
 * page to the next but what is in the cursor, so a page can be read by another worker than the one before.
 * Every failure is a `LilyError`: `source-unreachable` or `source-refused`, without credentials in its message.
 */
export interface Source {
  /** Makes sure that the source is reachable, lets us in, and is one that can be read. */
  check(): Promise<void>;
  /** A digest of everything that a crawl would enumerate. It changes when that changes, and at no other time. */
  fingerprint(): Promise<string>;
  /**
   * Reads the entities that follow the cursor, about `pageSize` of them. Reading the same page of an unchanged source
   * twice gives the same records in the same order.
   */
  readPage(cursor: string | undefined, pageSize: number): Promise<SourcePage>;
  /**
   * Whether a complete crawl with these options would have found the entity if it existed. Nothing else may be deleted.
   * A source that only shows what its user may see, or that samples, asks for the entity by its name before it says so.
   */
  covers(entity: { entity_type: string; qualified_name: string }): boolean | Promise<boolean>;
  /**
   * What the source itself found wrong or well again, for a source of which `typesWithFindings` says that it has any. Asked for
   * after everything that was read has been applied; reading it twice gives the same reports.
   */
  findings?(): AsyncIterable<IncidentReport>;
  close(): Promise<void>;
}

/** What a source is given beside its own options. */
export interface SourceContext {
  tenantId: string;
  /** Names the run: what is fetched for it once is found by all its pages. */
  runId: string;
  /** Uploads and other large contents. */
  objects: Pick<ObjectStore, 'stat' | 'find' | 'open' | 'put'>;
  /** Whether the source may be at a loopback or private address. */
  allowPrivate: boolean;
  /** The id of Lily's own Kafka cluster, whose `lily.` topics hold what all tenants sent and are open to no source. */
  ownKafkaCluster: () => Promise<string>;
}

/** What activities are given, to open sources with. */
export interface SourceAccess {
  objects: SourceContext['objects'];
  /** Whether sources may be at loopback and private addresses. */
  allowPrivateSources: boolean;
  ownKafkaCluster: SourceContext['ownKafkaCluster'];
}

/** What a source is given that is read for a tenant. @param runId what it is read for: a run, a dry run, a test */
export function contextFor(access: SourceAccess, tenantId: string, runId: string): SourceContext {
  const { objects, allowPrivateSources, ownKafkaCluster } = access;
  return { tenantId, runId, objects, allowPrivate: allowPrivateSources, ownKafkaCluster };
}
