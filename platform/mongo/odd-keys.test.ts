import { describe, expect, it } from 'vitest';
import { decodeKeys, encodeKeys } from './odd-keys.ts';

describe('odd keys', () => {
  it('come back as they were', () => {
    const value = {
      $ref: 'x',
      $id: 1,
      nested: [{ _bsontype: 'ObjectId', 'a.b': { $set: 1 } }],
      '\uFF05$x': 2,
      plain: null,
    };
    const encoded = encodeKeys(value);
    expect(JSON.stringify(encoded)).not.toMatch(/"(\$|_bsontype)/);
    expect(decodeKeys(encoded)).toEqual(value);
  });

  it('cost nothing when there are none', () => {
    const value = { a: [{ b: 1 }], at: new Date(0) };
    expect(encodeKeys(value)).toBe(value);
  });
});
