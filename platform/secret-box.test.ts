import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { secretBox } from './secret-box.ts';

const box = secretBox(randomBytes(32));

test('what was sealed opens again, and never looks the same twice', () => {
  const text = 'postgres://ada:pässword@db/warehouse';
  const sealed = box.seal(text, 'run-1');
  expect(sealed).not.toContain('ssword');
  expect(box.seal(text, 'run-1')).not.toBe(sealed);
  expect(box.open(sealed, 'run-1')).toBe(text);
});

test('another key, another context, or a changed letter does not open it', () => {
  const sealed = box.seal('secret', 'run-1');
  expect(() => secretBox(randomBytes(32)).open(sealed, 'run-1')).toThrow('unable to authenticate data');
  expect(() => box.open(sealed, 'run-2')).toThrow('unable to authenticate data');
  const middle = Math.floor(sealed.length / 2);
  const flipped = sealed[middle] === 'A' ? 'B' : 'A';
  expect(() => box.open(sealed.slice(0, middle) + flipped + sealed.slice(middle + 1), 'run-1')).toThrow(
    'unable to authenticate data',
  );
  expect(() => box.open('v1.AAAA')).toThrow('no sealed text');
  expect(() => secretBox(randomBytes(16))).toThrow('32 bytes');
});
