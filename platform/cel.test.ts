import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '#domain/assets/entity.ts';
import { CostExceeded, Meter } from '#domain/transformation/rules/meter.ts';
import { ExpressionFault, type RuleContext } from '#domain/transformation/rules/rule-set.ts';
import { celCompiler } from './cel.ts';

const compile = celCompiler();

function contextOf(attributes: Record<string, Json>): RuleContext {
  return {
    attributes: { name: 'orders', ...attributes },
    statistics: {},
    tags: ['pii'],
    name: 'orders',
    entity_type: 'table',
    qualified_name: 'w.orders',
    source_id: '',
    door: 'rest',
    op: 'upsert',
  };
}

const value = (text: string, attributes: Record<string, Json> = {}, units = 500_000): unknown =>
  compile(text, 'value')(contextOf(attributes), new Meter(units));

describe('an expression', () => {
  it.each([
    ['attributes.rows > 5', true],
    ['"pii" in tags && entity_type == "table"', true],
    ['has(attributes.owner) ? attributes.owner : "nobody"', 'nobody'],
    ['attributes.rows + 1.0', 7],
    ['int(attributes.rows) + 1', 7],
    ['{"a": [1, attributes.rows]}', { a: [1, 6] }],
    ['tags.map(t, t.upperAscii())', ['PII']],
    ['name.matches("^o.d")', true],
    ['["a", "b"].join("-")', 'a-b'],
    ['attributes.constructor + name', 'xorders'],
    ['null', null],
  ])('%s gives %j', (text, expected) => {
    expect(value(text, { rows: 6, ...(text.includes('constructor') && { constructor: 'x' }) })).toEqual(expected);
  });

  it.each([
    '1 +',
    'unknown',
    'name + 1',
    'bytes(name)',
    'b"x".json()',
    'cel.bind(a, name, a)',
    'name.matches(name)',
    'name.matches("(a+")',
  ])('%s is refused before it is ever used', (text) => {
    expect(() => compile(text, 'value')).toThrow();
  });

  it('that is no condition is refused as one', () => {
    expect(() => compile('name', 'condition')).toThrow(ExpressionFault);
    expect(() => compile('attributes.name', 'condition')(contextOf({}), new Meter(1_000))).toThrow(
      'neither true nor false',
    );
  });

  it.each([
    'attributes.missing',
    'attributes.rows + 1',
    'attributes.toString',
    'attributes.__proto__',
    '1.0 / 0.0',
    '9007199254740993',
  ])('%s fails in words', (text) => {
    expect(() => value(text, { rows: 6 })).toThrow(ExpressionFault);
  });

  it.each([
    'attributes.list.map(a, attributes.list.map(b, a))',
    'attributes.list.exists(a, attributes.list.exists(b, attributes.list.exists(c, c == "none")))',
    'attributes.list.filter(a, attributes.big.contains(a)).size()',
    'attributes.list.filter(a, attributes.nest == attributes.nest)',
    'attributes.list.map(a, attributes.big).join("")',
    'attributes.list.exists(a, attributes.big.matches("(a|b)*c"))',
    'attributes.list.join(attributes.big) == ""',
    'attributes.list.map(a, attributes.big.split("a", 2))',
    'attributes.list.exists(a, size(attributes.big) == 0)',
    'attributes.list.exists(a, size(attributes.nest) == 0)',
    'attributes.list.exists(a, attributes.nest.exists(k, false))',
    'attributes.list.exists(a, "none" in attributes.nest)',
    'attributes.list.exists(a, attributes.list.exists(b, bool("none")))',
    'false || attributes.list.all(a, attributes.list.all(b, b != "none"))',
  ])('%s ends before it has taken long', (text) => {
    const list = Array.from({ length: 5_000 }, (_, index) => `item-${index}`);
    const nest = Object.fromEntries(list.map((item) => [item, { item }]));
    expect(() => value(text, { list, nest, big: 'ab'.repeat(50_000) })).toThrow(CostExceeded);
  });

  it('costs the same every time', () => {
    const expression = compile('tags.exists(t, t.contains("p")) && name.startsWith("o")', 'condition');
    const cost = (): number => {
      const meter = new Meter(10_000);
      expression(contextOf({}), meter);
      return 10_000 - meter.left;
    };
    const first = cost();
    expect(first).toBeGreaterThan(10);
    expect([cost(), cost()]).toEqual([first, first]);
  });

  it('never throws anything but its own faults, whatever is in the record', () => {
    const expressions = [
      'attributes.a.b',
      'attributes.a == attributes.b',
      'attributes.a + attributes.b',
      'size(attributes.a)',
      'attributes.a.map(x, x)',
    ];
    const compiled = expressions.map((text) => compile(text, 'value'));
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('a', 'b', 'constructor'), fc.jsonValue({ maxDepth: 3 })),
        (attributes) => {
          for (const expression of compiled) {
            try {
              expression(contextOf(attributes as Record<string, Json>), new Meter(100_000));
            } catch (error) {
              expect(error instanceof ExpressionFault || error instanceof CostExceeded).toBe(true);
            }
          }
        },
      ),
    );
  });
});
