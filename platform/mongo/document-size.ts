import { BSON } from 'mongodb';
import { encodeKeys } from './odd-keys.ts';

/** Bytes that an object takes as a document, or as a part of one. */
export function documentBytes(value: object): number {
  return BSON.calculateObjectSize(encodeKeys(value), { ignoreUndefined: true });
}
