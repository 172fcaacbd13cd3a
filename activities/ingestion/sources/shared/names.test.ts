import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inScope, likePattern, matchesPattern, qualifiedName, splitQualifiedName } from './names.ts';

test('parts with a dot or a quote are quoted, others stand as they are', () => {
  expect(qualifiedName('db', 'Sales EU', 'naïve', 'a.b')).toBe('db.Sales EU.naïve."a.b"');
  expect(qualifiedName('say "hi"')).toBe('"say ""hi"""');
  expect(qualifiedName('a', '', 'b')).toBe('a."".b');
});

const part = fc.string({ maxLength: 8, unit: fc.constantFrom('a', 'B', '.', '"', ' ', 'é', '\\', '🙂') });

test('names can be taken apart again, so no two ever meet', () => {
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
      expect(splitQualifiedName(qualifiedName(...parts))).toEqual(parts);
    }),
  );
});

test('patterns know * and ?, and take everything else literally', () => {
  expect(matchesPattern('sales_eu', 'sales*')).toBe(true);
  expect(matchesPattern('sales', 'sale?')).toBe(true);
  expect(matchesPattern('sales', 'sale')).toBe(false);
  expect(matchesPattern('a+b', 'a+b')).toBe(true);
  expect(matchesPattern('aab', 'a+b')).toBe(false);
  expect(matchesPattern('x\ny', 'x*')).toBe(true);
  expect(likePattern('50%_a\\b*c?')).toBe('50\\%\\_a\\\\b%c_');
});

test('a scope takes what it includes, less what it excludes', () => {
  expect(inScope('shop', { include: undefined, exclude: undefined })).toBe(true);
  expect(inScope('shop', { include: ['s*'], exclude: ['*_tmp'] })).toBe(true);
  expect(inScope('s_tmp', { include: ['s*'], exclude: ['*_tmp'] })).toBe(false);
  expect(inScope('x', { include: ['s*'], exclude: undefined })).toBe(false);
});
