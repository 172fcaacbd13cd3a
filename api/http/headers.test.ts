import { describe, expect, it } from 'vitest';
import { limits } from '#domain/limits.ts';
import { isFresh, matches } from './conditions.ts';
import { parseVersionCursor, versionCursor } from './cursor.ts';
import { derivedRecordId } from './idempotent.ts';
import { InvalidInput } from './invalid-input.ts';
import { preferredWait } from './prefer.ts';
import { traceOfRequest } from './trace.ts';

describe('preferredWait', () => {
  it.each([
    [undefined, undefined],
    ['', undefined],
    ['wait=10', 10],
    ['WAIT=10', 10],
    ['respond-async, wait=5', 5],
    ['wait="7"', 7],
    ['wait = 3 ; x=y', 3],
    ['wait=3, wait=9', 3],
    ['wait=0', undefined],
    ['wait=-1', undefined],
    ['wait=soon', undefined],
    ['wait', undefined],
    ['await=4', undefined],
    ['wait=99999', limits.waitSeconds],
  ])('%j → %j', (header, seconds) => {
    expect(preferredWait(header)).toBe(seconds);
  });
});

describe('conditions on versions', () => {
  it.each([
    [undefined, true],
    ['*', true],
    ['"3"', true],
    ['"1", "3"', true],
    ['"2"', false],
    ['W/"3"', false],
    ['"33"', false],
  ])('If-Match %j on version 3 → %j', (header, expected) => {
    expect(matches(header, 3)).toBe(expected);
  });

  it.each([
    [undefined, false],
    ['*', true],
    ['W/"3"', true],
    ['"2"', false],
  ])('If-None-Match %j on version 3 → %j', (header, expected) => {
    expect(isFresh(header, 3)).toBe(expected);
  });

  it.each(['3', '', '"3', '"1" "3"', '"1",,"2"'])('refuses %j', (header) => {
    expect(() => matches(header, 3)).toThrow(InvalidInput);
  });
});

describe('version cursor', () => {
  it('comes back', () => {
    expect(parseVersionCursor(versionCursor(42))).toBe(42);
  });

  it.each(['', 'x', 'djE6', versionCursor(0), Buffer.from('v1:1e3').toString('base64url')])('refuses %j', (cursor) => {
    expect(() => parseVersionCursor(cursor)).toThrow(InvalidInput);
  });
});

describe('derivedRecordId', () => {
  const seed = '01a1fd65-428b-7a48-a0a3-f5f6ed3774e1';

  it('gives the same ids again, and different ones by index', () => {
    const ids = Array.from({ length: 1_000 }, (_, index) => derivedRecordId(seed, index));
    expect(new Set(ids).size).toBe(1_000);
    expect(ids).toEqual(ids.map((_, index) => derivedRecordId(seed, index)));
    for (const id of ids) expect(id).toMatch(/^01a1fd65-428b-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});

describe('traceOfRequest', () => {
  const given = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00';

  it("continues the caller's trace with a span of its own", () => {
    const trace = traceOfRequest({ traceparent: given });
    expect(trace.traceId).toBe('4bf92f3577b34da6a3ce929d0e0e4736');
    expect(trace.traceparent).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-00$/);
    expect(trace.traceparent).not.toContain('00f067aa0ba902b7');
  });

  it.each([
    undefined,
    'nonsense',
    given.replace('4bf92f3577b34da6a3ce929d0e0e4736', '0'.repeat(32)),
    `ff${given.slice(2)}`,
  ])('begins one for %j', (traceparent) => {
    const trace = traceOfRequest(traceparent === undefined ? {} : { traceparent });
    expect(trace.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(trace.traceId).not.toBe('4bf92f3577b34da6a3ce929d0e0e4736');
  });
});
