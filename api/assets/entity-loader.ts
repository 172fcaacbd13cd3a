import type { Entity } from '#domain/assets/entity.ts';

type GetMany = (tenantId: string, ids: string[]) => Promise<Map<string, Entity>>;

interface Asked {
  id: string;
  resolve: (entity: Entity | undefined) => void;
  reject: (error: unknown) => void;
}

interface Lane {
  waiting: Asked[];
  underWay: number;
}

/** Queries of one tenant that may be under way at once; what is asked meanwhile gathers for the next. */
const mostUnderWay = 2;
const mostIds = 100;

/**
 * Reads single entities, many at once: while a tenant's queries are under way, further ids gather and go together in the
 * next. A query never begins before it was asked for, so a read still sees every write that was acknowledged before it.
 */
export function entityLoader(getMany: GetMany): (tenantId: string, id: string) => Promise<Entity | undefined> {
  const lanes = new Map<string, Lane>();

  const work = async (tenantId: string, lane: Lane): Promise<void> => {
    lane.underWay += 1;
    while (lane.waiting.length > 0) {
      const together = lane.waiting.splice(0, mostIds);
      try {
        const found = await getMany(tenantId, [...new Set(together.map(({ id }) => id))]);
        for (const { id, resolve } of together) resolve(found.get(id));
      } catch (error) {
        for (const { reject } of together) reject(error);
      }
    }
    lane.underWay -= 1;
    if (lane.underWay === 0) lanes.delete(tenantId);
  };

  return (tenantId, id) =>
    new Promise((resolve, reject) => {
      const lane = lanes.get(tenantId) ?? { waiting: [], underWay: 0 };
      lanes.set(tenantId, lane);
      lane.waiting.push({ id, resolve, reject });
      if (lane.underWay < mostUnderWay) void work(tenantId, lane);
    });
}
