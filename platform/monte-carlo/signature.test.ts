import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { NotPythonJson, parsePythonJson, type PyValue } from './python-json.ts';
import { isSigned, signedText, signedTexts } from './signature.ts';

function bodyOf(json: string): Map<string, PyValue> {
  return parsePythonJson(json) as Map<string, PyValue>;
}

const textOf = (json: string): string => signedText(bodyOf(json));

describe('what Monte Carlo signs', () => {
  it('is what Python makes of the body', () => {
    const json = '{"type":"x","version":"v0.1","payload":{"t":49.0,"f":null}}';
    expect(textOf(json)).toBe('type=x&version=v0.1&payload=%7B%27t%27%3A+49.0%2C+%27f%27%3A+None%7D');
    const digest = createHmac('sha512', 'secret').update(textOf(json)).digest('hex');
    expect(digest).toMatch(/^0a61b2f5.*b2a2ea87$/);
    expect(isSigned(signedTexts(bodyOf(json)), ['another', 'secret'], digest)).toBe(true);
  });

  // Each made by Python 3.11.
  it.each([
    ['{}', ''],
    ['{"a":1,"b":2,"a":3}', 'a=3&b=2'],
    ['{"2":1,"1":2,"__proto__":3}', '2=1&1=2&__proto__=3'],
    ['{"a":12345678901234567890123,"b":-0,"c":-0.0}', 'a=12345678901234567890123&b=0&c=-0.0'],
    ['{"a":1e16,"b":1e15,"c":0.0001,"d":0.00001,"e":1e400}', 'a=1e%2B16&b=1000000000000000.0&c=0.0001&d=1e-05&e=inf'],
    ['{"a":[NaN,Infinity,-Infinity,true,false,null]}', 'a=%5Bnan%2C+inf%2C+-inf%2C+True%2C+False%2C+None%5D'],
    ['{"a":["it\'s","\\"","\'\\""]}', 'a=%5B%22it%27s%22%2C+%27%22%27%2C+%27%5C%27%22%27%5D'],
    ['{"a":["\\u007f\\u00a0\\u00ad\\u2028"]}', 'a=%5B%27%5Cx7f%5Cxa0%5Cxad%5Cu2028%27%5D'],
    ['{"a":["\\ud83d\\ude00","\\ud83d","é"]}', 'a=%5B%27%F0%9F%98%80%27%2C+%27%5Cud83d%27%2C+%27%C3%A9%27%5D'],
    ['{"ä b":"!~*()\'"}', '%C3%A4+b=%21~%2A%28%29%27'],
  ])('%s', (json, text) => {
    expect(textOf(json)).toBe(text);
  });

  it('is known for each Python that may have signed', () => {
    // A face that Unicode has since 16.0, and one that it has always had.
    expect(signedTexts(bodyOf('{"a":["\u{1fae9}"]}'))).toEqual([
      'a=%5B%27%F0%9F%AB%A9%27%5D',
      'a=%5B%27%5CU0001fae9%27%5D',
    ]);
    expect(signedTexts(bodyOf('{"a":["\u{1f600}"]}'))).toHaveLength(1);
  });

  it.each([
    '',
    '{',
    '{"a":1,}',
    '[1,]',
    '{"a" 1}',
    '01',
    '+1',
    '1.',
    '.5',
    '1e',
    '-',
    'nan',
    '{a:1}',
    "{'a':1}",
    '"\t"',
    '"\\x"',
  ])('is nothing when Python cannot read it: %s', (json) => {
    expect(() => parsePythonJson(json)).toThrow(NotPythonJson);
  });

  it('is nothing when it is nested beyond all measure', () => {
    expect(() => parsePythonJson('['.repeat(100_000))).toThrow(NotPythonJson);
  });
});

describe('a signature', () => {
  const texts = ['text'];
  const good = createHmac('sha512', 'secret').update('text').digest('hex');

  it.each([
    '',
    'f'.repeat(128),
    good.slice(0, -1),
    `${good}0`,
    good.toUpperCase(),
    ` ${good}`,
    good.replace(/.$/, 'g'),
  ])('that is wrong is refused: %s', (signature) => {
    expect(isSigned(texts, ['secret'], signature)).toBe(false);
  });

  it('is good with any of the secrets, and with none other', () => {
    expect(isSigned(texts, ['new', 'secret'], good)).toBe(true);
    expect(isSigned(texts, ['new'], good)).toBe(false);
    expect(isSigned(texts, [], good)).toBe(false);
    expect(isSigned(['other'], ['secret'], good)).toBe(false);
  });
});
