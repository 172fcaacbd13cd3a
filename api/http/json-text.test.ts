import { describe, expect, it } from 'vitest';
import { LilyError } from '#domain/errors.ts';
import { parseJsonText } from './json-text.ts';

const parse = (text: string): unknown => parseJsonText(Buffer.from(text));

function faultOf(input: string | Uint8Array): LilyError {
  try {
    parseJsonText(typeof input === 'string' ? Buffer.from(input) : input);
  } catch (error) {
    if (error instanceof LilyError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

describe('parseJsonText', () => {
  it('keeps odd but legal keys and values', () => {
    const text = '{"$set":{"a.b":1,"":null},"x":"\\u0000","n":-0.5e-7,"deep":[[[[]]]],"s":"[[[[{{{{"}';
    expect(JSON.stringify(parse(text))).toBe(
      '{"$set":{"a.b":1,"":null},"x":"\\u0000","n":-5e-8,"deep":[[[[]]]],"s":"[[[[{{{{"}',
    );
  });

  it.each([
    ['{"a": 1,\n x}', 'position 10'],
    ['{"a": 1', 'position 7'],
    ['', 'position 0'],
    ['   ', 'position 3'],
    ['{"a": nope}', 'position 6'],
    ['{"a":1}}', 'position 7'],
    ['[1 2]', 'position 3'],
    ['[01]', 'position 1'],
    ["{'a':1}", 'position 1'],
    ['["a\\x"]', 'position 1'],
    ['{"a" 1}', 'position 5'],
    ['{"a":1,}', 'position 7'],
    ['[1,]', 'position 3'],
    ['// comment', 'position 0'],
    ['{"ä":\n NaN}', 'line 2 column 2'],
    ['[1,2', 'position 4'],
    ['\uFEFF{}', 'position 0'],
    ['undefined', 'position 0'],
  ])('refuses %j as malformed, with the position', (text, position) => {
    const fault = faultOf(text);
    expect(fault.code).toBe('malformed-json');
    expect(fault.message).toContain(position);
  });

  it('refuses invalid UTF-8', () => {
    expect(faultOf(Uint8Array.from([0x22, 0xc3, 0x28, 0x22])).message).toContain('UTF-8');
  });

  it.each([
    ['arrays', '['.repeat(100_000) + ']'.repeat(100_000)],
    ['objects', '{"a":'.repeat(100_000) + '1' + '}'.repeat(100_000)],
    ['unclosed arrays', '['.repeat(100_000)],
  ])('refuses 100,000 levels of %s without overflowing', (_what, text) => {
    expect(faultOf(text).code).toBe('invalid-input');
  });

  it.each([
    ['{"__proto__":{}}', '/__proto__'],
    ['{"a":[{"\\u005f_proto__":1}]}', '/a/0/__proto__'],
    ['{"a":"\\ud800"}', '/a'],
    ['{"\\udfff":1}', ''],
    ['{"a":1e400}', '/a'],
    ['{"a":{"id":12345678901234567890}}', '/id'],
  ])('refuses %s, which could not be kept as it is', (text, field) => {
    const fault = faultOf(text);
    expect(fault.code).toBe('invalid-input');
    expect(fault.field).toBe(field);
  });

  it.each([
    '{"a":"\\ud83d\\ude00"}',
    '{"a":9007199254740991}',
    '{"a":"12345678901234567890"}',
    '{"a":0.12345678901234567}',
    '{"a":1e300}',
  ])('accepts %s', (text) => {
    expect(parse(text)).toEqual(JSON.parse(text));
  });
});
