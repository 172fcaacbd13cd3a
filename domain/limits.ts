/** Every limit of Lily's contracts, in one place. A request beyond one is refused with a message that names the limit. */
export const limits = {
  /** Records in one `POST /ingest-metadata`. */
  recordsPerRequest: 1_000,
  /** Bytes of one request body. */
  requestBytes: 16 * 1024 * 1024,
  webhookEndpointsPerTenant: 100,
  /** Bytes of one message on `/ws/ingest`. */
  socketMessageBytes: 4 * 1024 * 1024,
  /** Messages, and bytes of messages, that one client of `/ws/ingest` may have unacknowledged before it is read no further. */
  socketWindowMessages: 1_000,
  socketWindowBytes: 8 * 1024 * 1024,
  /** Clients of `/ws/ingest` that a tenant may have on one instance of the API. */
  ingestSocketsPerTenant: 50,
  /** Kafka topics that one tenant may have followed. */
  followedTopicsPerTenant: 20,
  /** Secrets of one webhook endpoint that hold at the same time, while they are being rotated. */
  webhookSecrets: 5,
  /** Longest that a replaced secret may go on holding. */
  webhookSecretDays: 30,
  /** Bytes of one record as JSON; below Kafka's message limit with room for the envelope. */
  recordBytes: 512 * 1024,
  /** Levels of nesting inside `attributes`. */
  attributeDepth: 32,
  /** Keys and array items in all of one record's `attributes`. */
  attributeNodes: 20_000,
  tagsPerEntity: 1_000,
  tagLength: 256,
  nameLength: 1_024,
  descriptionLength: 100_000,
  qualifiedNameLength: 2_048,
  /** Upstream entities, and other relationships, that one record may state. */
  edgesPerEntity: 1_000,
  /** Length of an Idempotency-Key. */
  idempotencyKeyLength: 255,
  /** How long an Idempotency-Key is remembered. */
  idempotencyHours: 24,
  /** Longest wait that `Prefer: wait=N` is honoured for, in seconds; larger values are lowered to it. */
  waitSeconds: 60,
  /** Bytes of one OpenLineage event, unpacked. */
  lineageEventBytes: 4 * 1024 * 1024,
  /** Events in one `POST /api/v1/lineage/batch`. */
  lineageEventsPerRequest: 1_000,
  /** Inputs, and outputs, of one OpenLineage event. */
  lineageDatasetsPerEvent: 5_000,
  lineageNamespaceLength: 512,
  /** Datasets and jobs in one answer of `GET /api/v1/lineage`; the answer says when it was cut. */
  lineageGraphNodes: 50_000,
  /** Characters of that answer. */
  lineageGraphBytes: 64 * 1024 * 1024,
  /** Columns of one dataset that become entities. */
  columnsPerDataset: 10_000,
  /** Bytes of one facet as JSON that an entity or a run keeps; the raw event keeps all of it. */
  facetBytes: 64 * 1024,
  /** Facets that one entity keeps. */
  facetsPerEntity: 100,
  /** Bytes of all facets as JSON that an entity or a run keeps. As stored they take up to six times as many. */
  keptFacetBytes: 2 * 1024 * 1024,
  /** Bytes of the names of a run's inputs, and of its outputs, that are kept. */
  lineageNameBytes: 1024 * 1024,
  /** Bytes of the fields of one dataset that are kept, as JSON, and of the names of its columns. */
  datasetFieldBytes: 2 * 1024 * 1024,
  /** Keys of assertions about one dataset that are known to fail. */
  failingAssertions: 10_000,
  /** Bytes of one entity as it is stored, with what merging has added up. A document of MongoDB may have 16 MiB. */
  entityBytes: 8 * 1024 * 1024,
  lineageDepth: 20,
  /** Nodes in one lineage answer; the answer says when it was cut. */
  lineageNodes: 10_000,
  pageSize: 200,
  defaultPageSize: 50,
  sourceNameLength: 200,
  /** Saved sources of one tenant. */
  sourcesPerTenant: 500,
  /** Schedules of one tenant, and the shortest time between two runs of one, in milliseconds. */
  schedulesPerTenant: 200,
  scheduleLeastMs: 10_000,
  /** Runs of one schedule that may wait at once; a time beyond that is skipped. */
  waitingPerSchedule: 100,
  noteLength: 1_000,
  /** Times of a schedule that one backfill makes up for. */
  timesPerBackfill: 500,
  /** Attempts at one run: the first, and retries. */
  attemptsPerRun: 20,
  /** Reasons why a run is not complete that are kept of it, and the length of each. */
  incompleteReasons: 20,
  reasonLength: 500,
  /** Bytes of one upload. */
  uploadBytes: 4 * 1024 * 1024 * 1024,
  /** Longest that one upload may take. */
  uploadMinutes: 60,
  /** Bytes of a field that stands beside a file in a multipart body. */
  uploadFieldBytes: 64 * 1024,
  /** Length of the name of an upload. */
  uploadNameLength: 255,
  /** Bytes of one row of a file, as it stands there. */
  fileRowBytes: 1024 * 1024,
  /** Cells of one row of a file; as many as a spreadsheet can have. */
  fileColumns: 16_384,
  /** Sheets of a spreadsheet, and files inside of it. */
  fileSheets: 1_000,
  archiveEntries: 10_000,
  /** Levels of elements or values in a row of a file. */
  fileDepth: 64,
  /** Characters of all texts that the cells of a spreadsheet share; they are held in memory. */
  sharedTextLength: 32 * 1024 * 1024,
  /** Bytes that a packed file may unpack to, and how many times its own size; the ratio counts beyond the free bytes. */
  unpackedBytes: 4 * 1024 * 1024 * 1024,
  unpackedRatio: 200,
  unpackedFreeBytes: 16 * 1024 * 1024,
  /** Bytes of a file that one page reads, and of the records that it makes of them. */
  filePageBytes: 32 * 1024 * 1024,
  filePageRecordBytes: 8 * 1024 * 1024,
  /** Bytes of a rejected row that are kept with its reason. */
  rejectedRowBytes: 64 * 1024,
  /** Longest that it may take to fetch a file, and to make sure that it can be read to its end. */
  fetchMinutes: 8,
  stagingMinutes: 8,
  /** Bytes of a file that the test of a source fetches, or makes of it. */
  testedFileBytes: 256 * 1024 * 1024,
  /** Findings of each outcome that a dry run shows, and how long they are kept. */
  dryRunFindings: 100,
  /** Dry runs of one tenant that may be underway at once. */
  dryRunsPerTenant: 10,
  dryRunHours: 3 * 24,
  /** How long what was made of a file for reading it is kept, to be used again. */
  stagedHours: 7 * 24,
  /** Hops that a change is followed downstream. */
  impactDepth: 20,
  /** Bytes of an incident's key at its source; it is a part of a workflow id. */
  incidentKeyBytes: 512,
  /** Entities that one report of an incident may name, and that one incident may be about. */
  incidentEntities: 50,
  incidentCommentLength: 10_000,
  /** Downstream entities that an incident lists; the others are counted. */
  incidentAffected: 100,
  /** Downstream entities that are counted. */
  incidentAffectedCounted: 10_000,
  escalationLevels: 10,
  /** Bytes of one report as JSON. */
  incidentReportBytes: 64 * 1024,
  /** Integrations of one kind that a tenant may have. */
  integrationsPerKind: 100,
  /** Secrets that one integration may have at once. */
  secretsPerIntegration: 5,
  /** Bytes of one webhook's body. */
  webhookBytes: 1024 * 1024,
  /** Rules of one version, and examples that it carries. */
  rulesPerSet: 100,
  ruleTests: 100,
  /** Bytes of one version as JSON. */
  ruleSetBytes: 256 * 1024,
  ruleExpressionLength: 1_000,
  rulePatternLength: 500,
  /** Bytes of what one expression may make, as JSON. */
  ruleOutputBytes: 16 * 1024,
  /** Work that all rules together may do on one record; a unit is about ten nanoseconds. See docs/rules.md. */
  ruleUnitsPerRecord: 500_000,
  /** Bytes of one member of an artifact of dbt: a model with its code and columns. */
  dbtEntryBytes: 4 * 1024 * 1024,
  /** Nodes in one manifest of dbt, and entries in each artifact beside it. */
  dbtNodes: 500_000,
  /** Characters of a manifest that are read for one page. */
  dbtPageBytes: 8 * 1024 * 1024,
  /** Raw records that one reprocessing may look at. */
  reprocessRecords: 5_000_000,
} as const;
