import { expect, it } from 'vitest';
import { parseExactJson } from './exact-json.ts';

it('keeps whole numbers that JavaScript would change as text, and leaves everything else as it is', () => {
  const text =
    '{"id":12345678901234567890,"n":[1,-9007199254740993,1.25,12345678901234567.5],"huge":1e999,"s":"12345678901234567890"}';
  expect(parseExactJson(text)).toEqual({
    id: '12345678901234567890',
    n: [1, '-9007199254740993', 1.25, 12345678901234568],
    huge: '1e999',
    s: '12345678901234567890',
  });
  expect(parseExactJson('{"a":[1,{"b":null}]}')).toEqual({ a: [1, { b: null }] });
  expect(() => parseExactJson('{"a":')).toThrow(SyntaxError);
});
