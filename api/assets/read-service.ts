import { isMetadataId } from '#domain/assets/identity.ts';
import type { Entity, EntityVersion } from '#domain/assets/entity.ts';
import { LilyError } from '#domain/errors.ts';
import type { Entities, EntityPage } from '#platform/mongo/entities.ts';
import { inTime } from '../http/outage.ts';
import { entityLoader } from './entity-loader.ts';

export type EntityReader = Pick<Entities, 'getMany' | 'asOf' | 'versions' | 'list'>;

export interface Page {
  before?: number | undefined;
  limit: number;
}

/**
 * Reads what a tenant has. Whatever is unknown, deleted, malformed or another tenant's gives one and the same `not-found`.
 */
export function assetReads(entities: EntityReader) {
  const load = entityLoader((tenantId, ids) => entities.getMany(tenantId, ids));
  const find = async (tenantId: string, id: string): Promise<Entity | undefined> => {
    return isMetadataId(id) ? inTime('MongoDB', load(tenantId, id)) : undefined;
  };

  return {
    async current(tenantId: string, id: string): Promise<Entity> {
      const entity = await find(tenantId, id);
      if (entity === undefined || entity.deleted) throw noEntity(id);
      return entity;
    },

    /** One page of the living entities, and the last of them when there are more. */
    async list(tenantId: string, page: EntityPage): Promise<{ entities: Entity[]; last?: Entity }> {
      const found = await inTime('MongoDB', entities.list(tenantId, { ...page, limit: page.limit + 1 }));
      const shown = found.slice(0, page.limit);
      const last = shown.at(-1);
      return found.length > page.limit && last !== undefined ? { entities: shown, last } : { entities: shown };
    },

    /** The version in force at the moment, and when the entity came to be. */
    async asOf(tenantId: string, id: string, at: Date): Promise<{ version: EntityVersion; createdAt: Date }> {
      const entity = await find(tenantId, id);
      const version = entity === undefined ? undefined : await inTime('MongoDB', entities.asOf(tenantId, id, at));
      if (entity === undefined || version === undefined || version.change === 'deleted') throw noEntity(id, at);
      return { version, createdAt: entity.created_at };
    },

    /** One page of the history, newest first, and where the next begins. A deleted entity keeps its history. */
    async history(tenantId: string, id: string, page: Page): Promise<{ versions: EntityVersion[]; next?: number }> {
      if ((await find(tenantId, id)) === undefined) throw noEntity(id);
      const { before, limit } = page;
      const found = await inTime('MongoDB', entities.versions(tenantId, id, { before, limit: limit + 1 }));
      const versions = found.slice(0, limit);
      const last = versions.at(-1);
      return found.length > limit && last !== undefined ? { versions, next: last.version } : { versions };
    },
  };
}

export type AssetReads = ReturnType<typeof assetReads>;

function noEntity(id: string, at?: Date): LilyError {
  const shown = id.length > 64 ? `${id.slice(0, 64)}…` : id;
  return new LilyError('not-found', `There is no entity ${shown}${at === undefined ? '' : ` at ${at.toISOString()}`}`);
}
