import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Positions } from '#platform/kafka/notification-log.ts';
import { anyBefore, decodePositions, encodePositions, furthest, nearest } from './position.ts';

const offsets = fc.array(fc.maxSafeNat(), { maxLength: 12 });
const positions: fc.Arbitrary<Positions> = fc.record({
  'lily.changes': offsets,
  'lily.impacts': offsets,
  'lily.incidents': offsets,
});

describe('message ids', () => {
  it('come back as the positions that they stand for', () => {
    fc.assert(
      fc.property(positions, (value) => {
        expect(decodePositions(encodePositions(value))).toEqual(value);
      }),
    );
  });

  it('are short', () => {
    expect(
      encodePositions({
        'lily.changes': [1e6, 2e6, 3e6, 4e6],
        'lily.impacts': [1e6, 1e6, 1e6, 1e6],
        'lily.incidents': [1e3, 1e3, 1e3, 1e3],
      }).length,
    ).toBeLessThan(60);
  });

  it('from before there were incidents are good still: nothing of them has been seen', () => {
    expect(decodePositions('AQIFBgEHtHIJBA')).toEqual({
      'lily.changes': [5, 6],
      'lily.impacts': [7],
      'lily.incidents': [],
    });
  });

  it('are told from garbage, and from damaged ids', () => {
    for (const garbage of ['', 'x', '0', 'null', 'AAAAAAAAAAAA', '../../etc', 'ü', 'AQ==', 'a'.repeat(4_000)]) {
      expect(decodePositions(garbage)).toBeUndefined();
    }
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(decodePositions(text)).toBeUndefined();
      }),
    );
    fc.assert(
      fc.property(positions, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, place, change) => {
        const bytes = Buffer.from(encodePositions(value), 'base64url');
        const at = place % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ change;
        expect(decodePositions(bytes.toString('base64url'))).toBeUndefined();
      }),
    );
  });

  it('can be compared and combined', () => {
    fc.assert(
      fc.property(positions, positions, (left, right) => {
        expect(anyBefore(furthest(left, right), left)).toBe(false);
        expect(anyBefore(furthest(left, right), right)).toBe(false);
        expect(anyBefore(left, nearest(left, right))).toBe(false);
        expect(anyBefore(left, left)).toBe(false);
      }),
    );
  });
});
