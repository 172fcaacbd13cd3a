import type { RequestHandler } from 'express';
import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import type { Records } from '#platform/mongo/records.ts';
import type { Lineage } from '#platform/neo4j/lineage.ts';
import { requireRole } from '../access/sign-in.ts';
import { sendJson } from '../http/answer.ts';
import { etagOf, isFresh } from '../http/conditions.ts';
import { entityCursor, parseEntityCursor, parseVersionCursor, versionCursor } from '../http/cursor.ts';
import { pathParameter, principalOf } from '../http/locals.ts';
import { inTime } from '../http/outage.ts';
import { noQuery, parseQuery } from '../http/query.ts';
import { entityQuery, lineageQuery, listQuery, versionsQuery } from './queries.ts';
import type { AssetReads } from './read-service.ts';
import { entityView, pastEntityView, recordView, versionView } from './views.ts';

export interface ReadDependencies {
  reads: AssetReads;
  records: Pick<Records, 'recordStatus'>;
  lineage: Pick<Lineage, 'walk'>;
}

/** The handlers of every reading of entities. */
export function assetReadHandlers({ reads, records, lineage }: ReadDependencies) {
  const reader = requireRole('reader');

  const read: RequestHandler = async (request, response) => {
    const { tenantId } = principalOf(response);
    const id = pathParameter(request, 'id');
    const { as_of: asOf } = parseQuery(request, entityQuery);
    const { version, view } = await (asOf === undefined ? present(tenantId, id) : past(tenantId, id, new Date(asOf)));
    response.setHeader('ETag', etagOf(version));
    response.setHeader('Cache-Control', 'private, no-cache');
    if (isFresh(request.get('If-None-Match'), version)) response.status(304).end();
    else sendJson(response, 200, view);
  };

  const present = async (tenantId: string, id: string) => {
    const entity = await reads.current(tenantId, id);
    return { version: entity.version, view: entityView(entity) };
  };

  const past = async (tenantId: string, id: string, at: Date) => {
    const { version, createdAt } = await reads.asOf(tenantId, id, at);
    return { version: version.version, view: pastEntityView(version, createdAt) };
  };

  const list: RequestHandler = async (request, response) => {
    const { tenantId } = principalOf(response);
    const { entity_type: entityType, qualified_name: qualifiedName, limit, cursor } = parseQuery(request, listQuery);
    const after = cursor === undefined ? undefined : parseEntityCursor(cursor);
    const page = await reads.list(tenantId, { entityType, qualifiedName, after, limit });
    const next =
      page.last === undefined
        ? null
        : entityCursor({ entityType: page.last.entity_type, qualifiedName: page.last.qualified_name });
    sendJson(response, 200, { items: page.entities.map(entityView), next_cursor: next });
  };

  const versions: RequestHandler = async (request, response) => {
    const { tenantId } = principalOf(response);
    const { limit, cursor } = parseQuery(request, versionsQuery);
    const before = cursor === undefined ? undefined : parseVersionCursor(cursor);
    const page = await reads.history(tenantId, pathParameter(request, 'id'), { before, limit });
    const next = page.next === undefined ? undefined : versionCursor(page.next);
    if (next !== undefined) response.setHeader('Link', `<${request.path}?limit=${limit}&cursor=${next}>; rel="next"`);
    sendJson(response, 200, { items: page.versions.map(versionView), next_cursor: next ?? null });
  };

  const walk: RequestHandler = async (request, response) => {
    const { tenantId } = principalOf(response);
    const { direction, depth } = parseQuery(request, lineageQuery);
    const { entity_id: id } = await reads.current(tenantId, pathParameter(request, 'id'));
    const found = await inTime('Neo4j', lineage.walk(tenantId, id, { direction, depth, limit: limits.lineageNodes }));
    sendJson(response, 200, { metadata_id: id, direction, depth, ...found });
  };

  const record: RequestHandler = async (request, response) => {
    noQuery(request);
    const id = pathParameter(request, 'id');
    const found =
      id.length <= longestRecordId
        ? await inTime('MongoDB', records.recordStatus(principalOf(response).tenantId, id))
        : undefined;
    if (found === undefined) {
      throw new LilyError(
        'not-found',
        'There is no such record, or it was acknowledged a moment ago and has not landed yet',
      );
    }
    sendJson(response, 200, recordView(found));
  };

  return {
    read: [reader, read],
    list: [reader, list],
    versions: [reader, versions],
    lineage: [reader, walk],
    record: [reader, record],
  };
}

const longestRecordId = 512;
