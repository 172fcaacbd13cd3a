import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CostExceeded, Meter } from './meter.ts';
import { globPattern, Pattern } from './pattern.ts';

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
const { pattern } = fc.letrec<{ pattern: string; piece: string }>((tie) => ({
  piece: fc.oneof(
    { weight: 5, arbitrary: fc.tuple(atom, quantifier).map((parts) => parts.join('')) },
    { weight: 1, arbitrary: fc.constantFrom('^', '$', '\\b', '\\B') },
    { weight: 2, arbitrary: fc.tuple(tie('pattern'), quantifier).map(([inner, times]) => `(?:${inner})${times}`) },
  ),
  pattern: fc
    .array(
      fc.array(tie('piece'), { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join('')),
      { minLength: 1, maxLength: 3 },
    )
    .map((choices) => choices.join('|')),
}));
const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'A', '1', ' ', '\n', '_', 'é', '😀'), maxLength: 30 });

describe('a pattern', () => {
  it('finds what a regular expression of JavaScript finds', () => {
    let compared = 0;
    fc.assert(
      fc.property(pattern, text, fc.boolean(), (source, content, ignoreCase) => {
        let own: Pattern;
        try {
          own = new Pattern(ignoreCase ? `(?i)${source}` : source);
        } catch {
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
      { numRuns: 5_000 },
    );
    expect(compared).toBeGreaterThan(500);
  });

  it.each(['(a+)+$', '(a|aa)+$', '(.*)(.*)(.*)(.*)(.*)(.*)x', '(\\w+\\s?)*$', 'a{0,500}a{500}$'])(
    '%s takes time in proportion to the text',
    (source) => {
      let compiled: Pattern;
      try {
        compiled = new Pattern(source);
      } catch (error) {
        expect(String(error)).toContain('may be empty');
        return;
      }
      const cost = (length: number): number => {
        const meter = plenty();
        compiled.test(`${'a'.repeat(length)}!`, meter);
        return 1_000_000_000 - meter.left;
      };
      expect(cost(20_000)).toBeLessThan(cost(10_000) * 2.2);
    },
  );

  it('costs what it is worth, and stops when there is nothing left', () => {
    expect(() => new Pattern('(a|b)+c').test('ab'.repeat(100_000), new Meter(1_000))).toThrow(CostExceeded);
  });

  it.each([
    ['(a', 'without its )'],
    ['a)', 'without its ('],
    ['[a', 'ends in the middle'],
    ['(?=a)', 'looking around'],
    ['(?<n>a)', 'looking around'],
    ['(a)\\1', 'back reference'],
    ['a**', 'quantifier behind'],
    ['(a*)*', 'may be empty'],
    ['*', 'nothing before it'],
    ['a{3,2}', 'backwards'],
    ['a{2000}', 'more than 1000'],
    ['(a{100}){100}', 'too large'],
    ['\\q', 'unknown escape'],
    ['[z-a]', 'bad range'],
  ])('%s is refused: %s', (source, message) => {
    expect(() => new Pattern(source)).toThrow(message);
  });

  it('replaces every match', () => {
    const card = new Pattern('\\b\\d(?:[ -]?\\d){12,15}\\b');
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
  ])('%s and %s: %s', (glob, content, expected) => {
    expect(globPattern(glob).test(content, plenty())).toBe(expected);
  });
});
