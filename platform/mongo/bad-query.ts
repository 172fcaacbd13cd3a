import { MongoServerError } from 'mongodb';

const badValue = 2;

/** Whether the store refused what it was asked for what it says: asked again, it refuses again. */
export function isBadQuery(error: unknown): error is MongoServerError {
  return error instanceof MongoServerError && error.code === badValue;
}
