import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CostExceeded, Meter } from '#domain/transformation/rules/meter.ts';
import { globSource, PatternFault } from '#domain/transformation/rules/pattern.ts';
import { LinearPattern } from './linear-pattern.ts';

const plenty = (): Meter => new Meter(1_000_000_000);

/** Patterns over a small alphabet, of every form there is. */
const atom = fc.constantFrom('a', 'b', 'c', '.', '[ab]', '[^a]', '\\d', '\\w', '[a-c1]', '\\s', '1', 'é', '😀');
const quantifier = fc.constantFrom(
  '',
  '',
  '',
  '*',
  '+',
  '?',
  '{2}',
  '{1,3}',
  '{0,2}',
  '{2,}',
  '*?',
  '+?',
  '??',
  '{1,3}?',
);
interface Form {
  source: string;
  /** What may be empty is not repeated: RE2 and JavaScript go through it in different order. */
  mayBeEmpty: boolean;
}
const optional = /^(?:[*?]|\{0)/;
const repeated = ({ source, mayBeEmpty }: Form, times: string): Form =>
  mayBeEmpty ? { source, mayBeEmpty } : { source: source + times, mayBeEmpty: optional.test(times) };
const { form } = fc.letrec<{ form: Form; piece: Form }>((tie) => ({
  piece: fc.oneof(
    { maxDepth: 2 },
    {
      weight: 5,
      arbitrary: fc.tuple(atom, quantifier).map(([source, times]) => repeated({ source, mayBeEmpty: false }, times)),
    },
    { weight: 1, arbitrary: fc.constantFrom('^', '$', '\\b', '\\B').map((source) => ({ source, mayBeEmpty: true })) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(tie('form'), quantifier)
        .map(([inner, times]) => repeated({ ...inner, source: `(?:${inner.source})` }, times)),
    },
  ),
  form: fc
    .array(fc.array(tie('piece'), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 })
    .map((choices) => ({
      source: choices.map((pieces) => pieces.map(({ source }) => source).join('')).join('|'),
      mayBeEmpty: choices.some((pieces) => pieces.every(({ mayBeEmpty }) => mayBeEmpty)),
    })),
}));
const pattern = form.map(({ source }) => source);
const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'A', '1', ' ', '\n', '_', 'é', '😀'), maxLength: 30 });

describe('a pattern', () => {
  it('finds what a regular expression of JavaScript finds', () => {
    let compared = 0;
    fc.assert(
      fc.property(pattern, text, fc.boolean(), (source, content, ignoreCase) => {
        let own: LinearPattern;
        try {
          own = new LinearPattern(ignoreCase ? `(?i)${source}` : source);
        } catch (error) {
          // The only thing that may be wrong with what is generated.
          expect(String(error)).toMatch(/too large|invalid repeat count/);
          return;
        }
        const theirs = [...content.matchAll(new RegExp(source, ignoreCase ? 'giu' : 'gu'))]
          .filter(([match]) => match !== '')
          .map((match) => `<${match[0]}>`);
        const found: string[] = [];
        own.replaceAll(content, (match) => (found.push(`<${match}>`), match), plenty());
        // Of what matches nothing at all, JavaScript also finds places in the middle of a character.
        if (own.matchesNothing) return;
        compared += 1;
        expect(found, source).toEqual(theirs);
        expect(own.test(content, plenty()), source).toBe(new RegExp(source, ignoreCase ? 'iu' : 'u').test(content));
      }),
      { numRuns: 1_000 },
    );
    expect(compared).toBeGreaterThan(200);
  }, 30_000);

  it.each(['(a+)+$', '(a|aa)+$', '(.*)(.*)(.*)(.*)(.*)(.*)x|y$', '(\\w+\\s?)*!x', '(a|a?)+b', 'a{0,500}a{100}$'])(
    '%s takes no time out of proportion to the text',
    (source) => {
      const compiled = new LinearPattern(source);
      // One that tries ways and takes them back would not be done within the test's time, or within many lives.
      expect(typeof compiled.test(`${'a'.repeat(5_000)}!`, plenty())).toBe('boolean');
    },
  );

  it('that looks far ahead behind every match is stopped', () => {
    expect(() => new LinearPattern('a.*b|a').replaceAll('a'.repeat(50_000), () => '', new Meter(500_000))).toThrow(
      CostExceeded,
    );
  });

  it('costs the same every time', () => {
    const compiled = new LinearPattern('\\w+@\\w+');
    const cost = (): number => {
      const meter = new Meter(10_000);
      compiled.replaceAll('by ada@x and bob@y', () => '', meter);
      return 10_000 - meter.left;
    };
    expect(cost()).toBeGreaterThan(60);
    expect([cost(), cost()]).toEqual([cost(), cost()]);
  });

  it.each(['', 'a*', '\\b', '\\B', '^', '$', '(?m)^', 'x?$', '(a|b*)', '(?:\\b|@)'])(
    '%j fits nothing at all too',
    (source) => {
      expect(new LinearPattern(source).matchesNothing).toBe(true);
    },
  );

  it.each(['a', 'a+', '^a', '\\bx', '\\s', '(?i)x|yy?'])('%j fits only something', (source) => {
    expect(new LinearPattern(source).matchesNothing).toBe(false);
  });

  it('costs what it is worth, and stops when there is nothing left', () => {
    expect(() => new LinearPattern('(a|b)+c').test('ab'.repeat(100_000), new Meter(1_000))).toThrow(CostExceeded);
  });

  it.each([
    ['(a', 'missing closing )'],
    ['a)', 'unexpected )'],
    ['[a', 'missing closing ]'],
    ['(?=a)', 'unsupported'],
    ['(?<=a)b', 'invalid'],
    ['(a)\\1', 'invalid escape sequence: `\\1`'],
    ['a**', 'nested repetition'],
    ['*', 'missing argument'],
    ['a{3,2}', 'invalid repeat count'],
    ['a{2000}', 'invalid repeat count'],
    ['a{1000}b{1000}', 'too large'],
    ['\\q', 'invalid escape sequence'],
    ['[z-a]', 'invalid character class range'],
  ])('%s is refused: %s', (source, message) => {
    const compiling = (): unknown => new LinearPattern(source);
    expect(compiling).toThrow(PatternFault);
    expect(compiling).toThrow(message);
  });

  it('replaces every match', () => {
    const card = new LinearPattern('\\b\\d(?:[ -]?\\d){12,15}\\b');
    const masked = card.replaceAll('pay 4111 1111 1111 1111 or 4111111111111111.', () => '#', plenty());
    expect(masked).toBe('pay # or #.');
  });
});

describe('a glob', () => {
  it.each([
    ['stg_*', 'stg_orders', true],
    ['stg_*', 'x.stg_orders', false],
    ['*.secret.*', 'a.secret.b\nc', true],
    ['t?', 'tx', true],
    ['t?', 't', false],
    ['a.b', 'axb', false],
    ['é(*)|[a]', 'é(x)|[a]', true],
    ['a\\d', 'a1', false],
  ])('%s and %s: %s', (glob, content, expected) => {
    expect(new LinearPattern(globSource(glob)).test(content, plenty())).toBe(expected);
  });
});
