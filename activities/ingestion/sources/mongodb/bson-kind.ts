import type { ValueKind } from '../shared/field-tree.ts';

/** Names of the types as MongoDB's `$type` has them, by what the driver calls its classes. */
const types: Readonly<Record<string, string>> = {
  Binary: 'binData',
  BSONRegExp: 'regex',
  BSONSymbol: 'symbol',
  Code: 'javascript',
  DBRef: 'dbPointer',
  Decimal128: 'decimal',
  Double: 'double',
  Int32: 'int',
  Long: 'long',
  MaxKey: 'maxKey',
  MinKey: 'minKey',
  ObjectId: 'objectId',
  Timestamp: 'timestamp',
};

/** What a value is that the driver made of BSON without promoting numbers. */
export function bsonKind(value: unknown): ValueKind {
  if (value === null || value === undefined) return { type: 'null' };
  if (typeof value === 'string') return { type: 'string' };
  if (typeof value === 'boolean') return { type: 'bool' };
  if (Array.isArray(value)) return { type: 'array', items: value };
  if (value instanceof Date) return { type: 'date' };
  if (value instanceof RegExp) return { type: 'regex' };
  if (typeof value !== 'object') return { type: typeof value };
  // The driver's classes say so on their prototypes; a document may carry a field of that name.
  const bsonType: unknown = Object.hasOwn(value, '_bsontype') ? undefined : Reflect.get(value, '_bsontype');
  if (typeof bsonType === 'string') return { type: types[bsonType] ?? bsonType };
  return { type: 'object', members: Object.entries(value) };
}
