import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { Transform, type Readable } from 'node:stream';
import { GridFSBucket, ObjectId, type Db, type GridFSFile } from 'mongodb';
import { LilyError } from '#domain/errors.ts';

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
  /** Its bytes from `start` on. @throws LilyError `not-found` */
  open(tenantId: string, objectId: string, start?: number): Promise<Readable>;
  remove(tenantId: string, objectId: string): Promise<void>;
}

interface Metadata {
  tenant_id: string;
  content_type: string;
  sha256: string;
}

const bucketName = 'objects';
const chunkBytes = 1024 * 1024;

/** Objects in MongoDB's GridFS. */
export function objectStore(db: Db): ObjectStore {
  const bucket = new GridFSBucket(db, { bucketName, chunkSizeBytes: chunkBytes });

  const find = async (tenantId: string, objectId: string): Promise<GridFSFile | undefined> => {
    if (!/^[0-9a-f]{24}$/.test(objectId)) return undefined;
    const filter = { _id: new ObjectId(objectId), 'metadata.tenant_id': tenantId };
    return (await bucket.find(filter).limit(1).toArray())[0];
  };

  return {
    async put(tenantId, content, { name, contentType, maxBytes }) {
      const metadata: Metadata = { tenant_id: tenantId, content_type: contentType, sha256: '' };
      const upload = bucket.openUploadStream(name, { metadata });
      const hash = createHash('sha256');
      let bytes = 0;
      const measure = new Transform({
        transform(chunk: Uint8Array, _encoding, next) {
          bytes += chunk.length;
          if (bytes > maxBytes) {
            next(new LilyError('body-too-large', `The content may have at most ${maxBytes} bytes`));
            return;
          }
          hash.update(chunk);
          next(null, chunk);
        },
        flush(next) {
          // The file's document is written when the stream ends, with this in it.
          metadata.sha256 = hash.digest('hex');
          next();
        },
      });
      try {
        await pipeline(content, measure, upload);
      } catch (error) {
        await upload.abort().catch(() => undefined);
        throw error;
      }
      const { sha256 } = metadata;
      return { objectId: upload.id.toHexString(), bytes, sha256, name, contentType, storedAt: new Date() };
    },

    async stat(tenantId, objectId) {
      const file = await find(tenantId, objectId);
      if (file === undefined) return undefined;
      const { content_type, sha256 } = file.metadata as unknown as Metadata;
      return {
        objectId,
        bytes: file.length,
        sha256,
        name: file.filename,
        contentType: content_type,
        storedAt: file.uploadDate,
      };
    },

    async open(tenantId, objectId, start = 0) {
      const file = await find(tenantId, objectId);
      if (file === undefined) throw new LilyError('not-found', 'The content is no longer kept.');
      return bucket.openDownloadStream(file._id, { start: Math.min(start, file.length) });
    },

    async remove(tenantId, objectId) {
      const file = await find(tenantId, objectId);
      if (file !== undefined) await bucket.delete(file._id);
    },
  };
}
