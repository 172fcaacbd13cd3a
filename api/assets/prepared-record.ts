import { defaultQualifiedName } from '#domain/assets/identity.ts';
import { ingestBodySchema, type IngestBody, type IngestRecord } from '#domain/assets/record.ts';
import type { Principal } from '#domain/access/principal.ts';
import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { metadataId } from '#platform/digest.ts';
import { InvalidInput, invalidInput } from '../http/invalid-input.ts';

/** A record that is fit to be sent: checked, named and serialized. */
export interface PreparedRecord {
  metadataId: string;
  /** The record as JSON: the value of the message. */
  value: string;
}

/**
 * Makes a record of one body of `POST /ingest-metadata`.
 * The caller's own JSON goes in, not a copy that a schema has made: odd but legal keys stay as they are.
 *
 * @throws LilyError `invalid-input`, `tenant-mismatch` or `body-too-large`.
 */
export function prepareIngest(principal: Principal, body: unknown): PreparedRecord {
  checkTenant(principal, body);
  const parsed = ingestBodySchema.safeParse(body);
  if (!parsed.success) throw invalidInput(parsed.error, 'body');
  const { tenant_id: _tenant, qualified_name: given, ...content } = body as IngestBody;
  const qualifiedName = given ?? defaultQualifiedName(content.attributes.name, content.parent);
  if (qualifiedName.length > limits.qualifiedNameLength) {
    const detail = `together with the parent's name is longer than ${limits.qualifiedNameLength} characters; give a qualified_name`;
    throw new InvalidInput(`/attributes/name in the body ${detail}`, [{ field: '/attributes/name', detail }]);
  }
  return prepared(principal.tenantId, { op: 'upsert', ...content, qualified_name: qualifiedName });
}

/** Serializes a record and checks its size. */
export function prepared(tenantId: string, record: IngestRecord): PreparedRecord {
  const value = JSON.stringify(record);
  const bytes = Buffer.byteLength(value);
  if (bytes > limits.recordBytes) {
    throw new LilyError('body-too-large', `The record has ${bytes} bytes; it may have at most ${limits.recordBytes}`);
  }
  return { metadataId: metadataId(tenantId, record.entity_type, record.qualified_name), value };
}

/** A body may repeat the token's tenant, and name no other. */
export function checkTenant(principal: Principal, body: unknown): void {
  const named = typeof body === 'object' && body !== null && 'tenant_id' in body ? body.tenant_id : undefined;
  if (typeof named === 'string' && named !== principal.tenantId) {
    throw new LilyError('tenant-mismatch', 'Leave tenant_id out, or give the one of your token', {
      field: '/tenant_id',
    });
  }
}
