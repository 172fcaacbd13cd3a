import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { SourceContext } from '#activities/ingestion/source.ts';
import { LilyError } from '#domain/errors.ts';
import type { StoredObject } from '#platform/objects/object-store.ts';

interface Kept {
  about: StoredObject;
  tenantId: string;
  key: string | undefined;
  content: Buffer;
}

/** Keeps contents in memory, in pieces of a size that makes readers meet their ends at odd places. */
export function memoryObjects(pieceBytes = 1_000) {
  const kept: Kept[] = [];
  const objects: SourceContext['objects'] = {
    async put(tenantId, content, { name, contentType, maxBytes, key }) {
      const bytes = await buffer(content);
      if (bytes.length > maxBytes) throw new LilyError('body-too-large', 'too large');
      const found = key === undefined ? undefined : kept.find((one) => one.key === key && one.tenantId === tenantId);
      if (found !== undefined) return found.about;
      const about: StoredObject = {
        objectId: kept.length.toString(16).padStart(24, '0'),
        bytes: bytes.length,
        sha256: createHash('sha256').update(bytes).digest('hex'),
        name,
        contentType,
        storedAt: new Date(),
      };
      kept.push({ about, tenantId, key, content: bytes });
      return about;
    },
    async stat(tenantId, objectId) {
      return kept.find((one) => one.about.objectId === objectId && one.tenantId === tenantId)?.about;
    },
    async find(tenantId, key) {
      return kept.find((one) => one.key === key && one.tenantId === tenantId)?.about;
    },
    async open(tenantId, objectId, start = 0, end?: number) {
      const found = kept.find((one) => one.about.objectId === objectId && one.tenantId === tenantId);
      if (found === undefined) throw new LilyError('not-found', 'The content is no longer kept.');
      const content = found.content.subarray(start, end);
      const pieces = Array.from({ length: Math.ceil(content.length / pieceBytes) }, (_, index) =>
        content.subarray(index * pieceBytes, (index + 1) * pieceBytes),
      );
      return Readable.from(pieces);
    },
  };
  return { objects, kept };
}
