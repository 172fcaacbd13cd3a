import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { Binary, MongoServerError, ObjectId, type Db, type Filter, type GridFSFile } from 'mongodb';
import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';

/** What is known of a stored content. It never changes: another content is another object. */
export interface StoredObject {
  objectId: string;
  bytes: number;
  /** Lower-case hex. */
  sha256: string;
  /** What the sender called it. */
  name: string;
  contentType: string;
  storedAt: Date;
}

export interface ObjectAbout {
  name: string;
  contentType: string;
  /** A content that is longer is refused, and nothing of it is kept. */
  maxBytes: number;
  /**
   * Under which the object is found again, instead of being made twice. Whoever comes second gets the first one's
   * object: give keys only to contents that follow from them.
   */
  key?: string;
  /** For how long it is kept; without it, until somebody removes it. */
  keepHours?: number;
}

/** Keeps contents that are too large for a record: uploads, exports. A tenant sees its own only. */
export interface ObjectStore {
  /**
   * Stores a stream to its end.
   * @throws LilyError `body-too-large` beyond `maxBytes`; whatever the stream fails with. Nothing is kept then.
   */
  put(tenantId: string, content: Readable, about: ObjectAbout): Promise<StoredObject>;
  /** What is known of the object; undefined when there is none, or when it is another tenant's. */
  stat(tenantId: string, objectId: string): Promise<StoredObject | undefined>;
  /** The object that was stored under the key. */
  find(tenantId: string, key: string): Promise<StoredObject | undefined>;
  /** Its bytes from `start` on, up to but not including `end`. @throws LilyError `not-found` */
  open(tenantId: string, objectId: string, start?: number, end?: number): Promise<Readable>;
  /** @returns whether there was one */
  remove(tenantId: string, objectId: string): Promise<boolean>;
  /** Takes away what has outlived its time and what crashed uploads left behind. Any number may do it at once. */
  sweep(now?: Date): Promise<number>;
}

interface Metadata {
  tenant_id: string;
  content_type: string;
  sha256: string;
  key?: string;
  expires_at?: Date;
}

/** Stands from before an upload's first chunk until after its end: what crashed in between is found by it. */
interface UploadMark {
  _id: ObjectId;
  tenant_id: string;
  started_at: Date;
}

type FileDoc = Omit<GridFSFile, 'metadata' | 'contentType' | 'aliases'> & { metadata: Metadata };

interface ChunkDoc {
  _id: ObjectId;
  files_id: ObjectId;
  n: number;
  data: Binary;
}

const bucketName = 'objects';
const chunkBytes = 1024 * 1024;
const duplicateKey = 11_000;
/** An upload ends long before: nothing that still grows is taken for a crashed one. */
const longestUploadMs = limits.uploadMinutes * 60_000;
/** Chunks that are asked for in one go. */
const chunksAtOnce = 2;
const crashedAfterMs = 2 * longestUploadMs;
/** Objects that one sweep takes away. */
const sweptAtOnce = 100;

/**
 * Objects as GridFS lays them out, so that its tools read them. They are written and read here: its own streams may leave
 * a chunk behind when they fail.
 */
export function objectStore(db: Db): ObjectStore {
  const { files, chunks, marks } = collectionsOf(db);

  const one = async (tenantId: string, filter: Filter<FileDoc>): Promise<FileDoc | undefined> =>
    (await files.findOne({ ...filter, 'metadata.tenant_id': tenantId })) ?? undefined;
  const byId = async (tenantId: string, objectId: string): Promise<FileDoc | undefined> =>
    /^[0-9a-f]{24}$/.test(objectId) ? one(tenantId, { _id: new ObjectId(objectId) }) : undefined;

  /** The file's document goes first: from then on nobody finds the object, and the mark brings the sweep to what is left. */
  const discard = async (id: ObjectId, tenantId: string): Promise<void> => {
    await marks.updateOne(
      { _id: id },
      { $setOnInsert: { tenant_id: tenantId, started_at: new Date(0) } },
      { upsert: true },
    );
    await files.deleteOne({ _id: id });
    await chunks.deleteMany({ files_id: id });
    await marks.deleteOne({ _id: id });
  };

  /** One chunk after the other, so that none is on its way any more when the content fails. */
  const writeChunks = async (
    id: ObjectId,
    content: Readable,
    maxBytes: number,
  ): Promise<{ bytes: number; sha256: string }> => {
    const hash = createHash('sha256');
    let [bytes, n] = [0, 0];
    for await (const data of inChunks(content)) {
      bytes += data.length;
      if (bytes > maxBytes) throw new LilyError('body-too-large', `The content may have at most ${maxBytes} bytes`);
      hash.update(data);
      await chunks.insertOne({ _id: new ObjectId(), files_id: id, n, data: new Binary(data) });
      n += 1;
    }
    return { bytes, sha256: hash.digest('hex') };
  };

  /**
   * The bytes from `start` to `end`, chunk by chunk. GridFS's own stream asks for as much as one answer can hold: 16 MB
   * at a time, also for somebody who wants a page of one.
   */
  async function* pieces({ _id, chunkSize, length }: FileDoc, start: number, end: number): AsyncGenerator<Buffer> {
    if (start >= end) return;
    const first = Math.floor(start / chunkSize);
    const last = Math.floor((end - 1) / chunkSize);
    const cursor = chunks
      .find({ files_id: _id, n: { $gte: first, $lte: last } }, { batchSize: chunksAtOnce })
      .sort({ n: 1 });
    let n = first;
    try {
      for await (const chunk of cursor) {
        if (chunk.n !== n) break;
        const at = n * chunkSize;
        n += 1;
        yield chunk.data.buffer.subarray(Math.max(start - at, 0), Math.min(end - at, chunk.data.length())) as Buffer;
      }
    } finally {
      await cursor.close();
    }
    if (n <= last) throw new LilyError('not-found', `The content is no longer kept: of ${length} bytes some are gone.`);
  }

  return {
    async put(tenantId, content, { name, contentType, maxBytes, key, keepHours }) {
      const id = new ObjectId();
      await marks.insertOne({ _id: id, tenant_id: tenantId, started_at: new Date() });
      const tooLate = `The content did not come within ${limits.uploadMinutes} minutes`;
      const deadline = setTimeout(() => content.destroy(new LilyError('body-too-large', tooLate)), longestUploadMs);
      const metadata: Metadata = { tenant_id: tenantId, content_type: contentType, sha256: '' };
      if (key !== undefined) metadata.key = key;
      if (keepHours !== undefined) metadata.expires_at = new Date(Date.now() + keepHours * 3_600_000);
      try {
        const { bytes, sha256 } = await writeChunks(id, content, maxBytes);
        const file: FileDoc = {
          _id: id,
          length: bytes,
          chunkSize: chunkBytes,
          uploadDate: new Date(),
          filename: name,
          metadata: { ...metadata, sha256 },
        };
        await files.insertOne(file);
        await marks.deleteOne({ _id: id });
        return storedObject(file);
      } catch (error) {
        await chunks.deleteMany({ files_id: id }).catch(() => undefined);
        const other =
          isDuplicate(error) && key !== undefined ? await one(tenantId, { 'metadata.key': key }) : undefined;
        if (other !== undefined) return storedObject(other);
        throw error;
      } finally {
        clearTimeout(deadline);
      }
    },

    async stat(tenantId, objectId) {
      const file = await byId(tenantId, objectId);
      return file && storedObject(file);
    },

    async find(tenantId, key) {
      const file = await one(tenantId, { 'metadata.key': key });
      return file && storedObject(file);
    },

    async open(tenantId, objectId, start = 0, end = Number.POSITIVE_INFINITY) {
      const file = await byId(tenantId, objectId);
      if (file === undefined) throw new LilyError('not-found', 'The content is no longer kept.');
      return Readable.from(pieces(file, start, Math.min(end, file.length)), { objectMode: false, highWaterMark: 1 });
    },

    async remove(tenantId, objectId) {
      const file = await byId(tenantId, objectId);
      if (file !== undefined) await discard(file._id, tenantId);
      return file !== undefined;
    },

    async sweep(now = new Date()) {
      const expired = await files
        .find({ 'metadata.expires_at': { $lt: now } })
        .limit(sweptAtOnce)
        .toArray();
      for (const { _id, metadata } of expired) await discard(_id, metadata.tenant_id);
      const crashed = await marks
        .find({ started_at: { $lt: new Date(now.getTime() - crashedAfterMs) } })
        .limit(sweptAtOnce)
        .toArray();
      for (const { _id, started_at, tenant_id } of crashed) {
        // It had come to its end, and only its mark was left; unless somebody was taking it away.
        const whole = started_at.getTime() > 0 && (await files.findOne({ _id }, { projection: { _id: 1 } })) !== null;
        if (whole) await marks.deleteOne({ _id });
        else await discard(_id, tenant_id);
      }
      return expired.length + crashed.length;
    },
  };
}

/** Creates the indexes of objects; harmless to repeat. */
export async function ensureObjectIndexes(db: Db): Promise<void> {
  const { files, chunks, marks } = collectionsOf(db);
  await Promise.all([
    // The two that GridFS wants; it would make them itself, at the first upload.
    files.createIndex({ filename: 1, uploadDate: 1 }),
    chunks.createIndex({ files_id: 1, n: 1 }, { unique: true }),
    files.createIndex(
      { 'metadata.tenant_id': 1, 'metadata.key': 1 },
      { unique: true, partialFilterExpression: { 'metadata.key': { $exists: true } } },
    ),
    files.createIndex(
      { 'metadata.expires_at': 1 },
      { partialFilterExpression: { 'metadata.expires_at': { $exists: true } } },
    ),
    marks.createIndex({ started_at: 1 }),
  ]);
}

function collectionsOf(db: Db) {
  return {
    files: db.collection<FileDoc>(`${bucketName}.files`),
    chunks: db.collection<ChunkDoc>(`${bucketName}.chunks`),
    marks: db.collection<UploadMark>(`${bucketName}.uploads`),
  };
}

function storedObject({ _id, length, filename, uploadDate, metadata }: FileDoc): StoredObject {
  return {
    objectId: _id.toHexString(),
    bytes: length,
    sha256: metadata.sha256,
    name: filename,
    contentType: metadata.content_type,
    storedAt: uploadDate,
  };
}

/** The content in chunks of one size, but for the last. The stream is left open when nobody wants the rest. */
async function* inChunks(content: Readable): AsyncGenerator<Buffer> {
  let gathered: Buffer[] = [];
  let length = 0;
  for await (const piece of content.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer | string>) {
    let rest: Buffer = typeof piece === 'string' ? Buffer.from(piece) : piece;
    while (length + rest.length >= chunkBytes) {
      const wanted = chunkBytes - length;
      yield Buffer.concat([...gathered, rest.subarray(0, wanted)], chunkBytes);
      rest = rest.subarray(wanted);
      [gathered, length] = [[], 0];
    }
    if (rest.length > 0) gathered.push(rest);
    length += rest.length;
  }
  if (length > 0) yield Buffer.concat(gathered, length);
}

function isDuplicate(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === duplicateKey;
}
