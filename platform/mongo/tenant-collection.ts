import type {
  AnyBulkWriteOperation,
  BulkWriteOptions,
  BulkWriteResult,
  Collection,
  Document,
  Filter,
  FindCursor,
  FindOptions,
  InsertManyResult,
  OptionalUnlessRequiredId,
  UpdateFilter,
  UpdateOptions,
  UpdateResult,
  WithId,
} from 'mongodb';

/** What every document of a tenant carries. */
export interface Owned {
  tenant_id: string;
}

/**
 * A collection as one tenant sees it: every filter is bound to the tenant, and every document that is written carries it.
 * Code that works for a tenant gets this and nothing wider, so a query cannot forget whose data it may touch.
 */
export class TenantCollection<Doc extends Owned> {
  readonly #collection: Collection<Doc>;
  readonly #tenantId: string;

  constructor(collection: Collection<Doc>, tenantId: string) {
    this.#collection = collection;
    this.#tenantId = tenantId;
  }

  find(filter: Filter<Doc>, options?: FindOptions): FindCursor<WithId<Doc>> {
    return this.#collection.find(this.#bind(filter), options);
  }

  async findOne(filter: Filter<Doc>, options?: FindOptions): Promise<WithId<Doc> | null> {
    return this.#collection.findOne(this.#bind(filter), options);
  }

  /** How many documents there are of each value of a field. */
  async countBy(field: keyof Doc & string, filter: Filter<Doc>): Promise<Map<string, number>> {
    const groups = this.#collection.aggregate<{ _id: string; count: number }>([
      { $match: this.#bind(filter) },
      { $group: { _id: `$${field}`, count: { $sum: 1 } } },
    ]);
    return new Map((await groups.toArray()).map(({ _id, count }) => [_id, count]));
  }

  /** What a pipeline makes of the documents that fit; it must not look into other collections. */
  async aggregate<Result extends Document>(filter: Filter<Doc>, stages: Document[]): Promise<Result[]> {
    return this.#collection.aggregate<Result>([{ $match: this.#bind(filter) }, ...stages]).toArray();
  }

  async updateMany(filter: Filter<Doc>, update: UpdateFilter<Doc>): Promise<UpdateResult<Doc>> {
    return this.#collection.updateMany(this.#bind(filter), update);
  }

  async count(filter: Filter<Doc>): Promise<number> {
    return this.#collection.countDocuments(this.#bind(filter));
  }

  async insertMany(documents: Doc[], options?: BulkWriteOptions): Promise<InsertManyResult<Doc>> {
    for (const document of documents) this.#check(document);
    return this.#collection.insertMany(documents as OptionalUnlessRequiredId<Doc>[], options);
  }

  async insertOne(document: Doc): Promise<void> {
    this.#check(document);
    await this.#collection.insertOne(document as OptionalUnlessRequiredId<Doc>);
  }

  async updateOne(filter: Filter<Doc>, update: UpdateFilter<Doc>, options?: UpdateOptions): Promise<UpdateResult<Doc>> {
    return this.#collection.updateOne(this.#bind(filter), update, options);
  }

  async findOneAndUpdate(filter: Filter<Doc>, update: UpdateFilter<Doc>): Promise<WithId<Doc> | null> {
    return this.#collection.findOneAndUpdate(this.#bind(filter), update, { returnDocument: 'after' });
  }

  async deleteMany(filter: Filter<Doc>): Promise<number> {
    return (await this.#collection.deleteMany(this.#bind(filter))).deletedCount;
  }

  /** Many updates and replacements in one round trip; each one's filter is bound to the tenant. */
  async bulkWrite(operations: TenantOperation<Doc>[], options?: BulkWriteOptions): Promise<BulkWriteResult> {
    const bound = operations.map((operation): AnyBulkWriteOperation<Doc> => {
      if ('updateOne' in operation) {
        return { updateOne: { ...operation.updateOne, filter: this.#bind(operation.updateOne.filter) } };
      }
      this.#check(operation.replaceOne.replacement);
      return {
        replaceOne: {
          filter: this.#bind(operation.replaceOne.filter),
          replacement: operation.replaceOne.replacement,
          upsert: operation.replaceOne.upsert ?? false,
        },
      };
    });
    return this.#collection.bulkWrite(bound, options);
  }

  #bind(filter: Filter<Doc>): Filter<Doc> {
    return { ...filter, tenant_id: this.#tenantId };
  }

  #check(document: Doc): void {
    if (document.tenant_id !== this.#tenantId) {
      throw new Error(
        `a document of tenant ${document.tenant_id} was about to be written for tenant ${this.#tenantId}`,
      );
    }
  }
}

export type TenantOperation<Doc> =
  | {
      updateOne: {
        filter: Filter<Doc>;
        /** Operators, or the stages of a pipeline. */
        update: UpdateFilter<Doc> | Document[];
        upsert?: boolean;
      };
    }
  | { replaceOne: { filter: Filter<Doc>; replacement: Doc; upsert?: boolean } };
