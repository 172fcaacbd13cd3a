import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ruleCompiler } from '#platform/rule-compiler.ts';
import { ingestRecordSchema, type IngestRecord } from '../../assets/record.ts';
import type { Json } from '../../assets/entity.ts';
import { RuleFault, type RuleOutcome, type RuleSet } from './rule-set.ts';
import { ruleSetSchema } from './schema.ts';

const compile = ruleCompiler(Buffer.alloc(32, 7));

function rules(...list: object[]): RuleSet {
  const definition = ruleSetSchema.parse({ rules: list.map((rule, index) => ({ name: `r${index}`, ...rule })) });
  return compile('acme', 1, definition);
}

function record(attributes: Record<string, Json>, change: Partial<IngestRecord> = {}): IngestRecord {
  return {
    op: 'upsert',
    entity_type: 'table',
    qualified_name: 'w.orders',
    attributes: { name: 'orders', ...attributes },
    ...change,
  } as IngestRecord;
}

function attributesAfter(set: RuleSet, attributes: Record<string, Json>): unknown {
  const outcome = set.apply(record(attributes), 'rest');
  return outcome.kind === 'kept' ? outcome.record.attributes : outcome;
}

describe('a rule', () => {
  it.each<[string, object, Record<string, Json>, object]>([
    [
      'renames',
      { kind: 'rename', from: 'owner_mail', to: '/owner/email' },
      { owner_mail: 'a@b' },
      { owner: { email: 'a@b' } },
    ],
    ['renames nothing that is not there', { kind: 'rename', from: 'x', to: 'y' }, { a: 1 }, { a: 1 }],
    [
      'fills what is absent or null',
      { kind: 'default', path: 'tier', value: 'bronze' },
      { tier: null },
      { tier: 'bronze' },
    ],
    ['leaves what is there', { kind: 'default', path: 'tier', value: 'bronze' }, { tier: 'gold' }, { tier: 'gold' }],
    [
      'derives',
      { kind: 'derive', path: 'label', expression: 'entity_type + ":" + name' },
      {},
      { label: 'table:orders' },
    ],
    ['derives nothing from null', { kind: 'derive', path: 'label', expression: 'null' }, { label: 1 }, { label: 1 }],
    [
      'redacts',
      { kind: 'mask', path: '/owner/*', method: 'redact' },
      { owner: { a: 'x', b: 1 } },
      { owner: { a: '[redacted]', b: '[redacted]' } },
    ],
    [
      'keeps the last four',
      { kind: 'mask', path: 'iban', method: 'last4' },
      { iban: 'DE89370400440532013000' },
      { iban: '****3000' },
    ],
    [
      'keeps a part',
      { kind: 'mask', path: 'mail', method: 'partial', keep_start: 1, keep_end: 4 },
      { mail: 'ada@example.org' },
      { mail: 'a****.org' },
    ],
    [
      'masks what fits, everywhere',
      { kind: 'mask', pattern: '[\\w.]+@[\\w.]+', method: 'redact' },
      { a: ['by ada@x.org'], b: { c: 'ada@x.org!' } },
      { a: ['by [redacted]'], b: { c: '[redacted]!' } },
    ],
    ['tags by name', { kind: 'tag', tags: ['sales'], glob: 'ord*' }, { tags: ['a'] }, { tags: ['a', 'sales'] }],
    [
      'tags by a value in a list',
      { kind: 'tag', tags: ['pii'], on: '/columns', pattern: '(?i)e-?mail' },
      { columns: ['id', 'EMail'] },
      { columns: ['id', 'EMail'], tags: ['pii'] },
    ],
    ['tags nobody else', { kind: 'tag', tags: ['sales'], glob: 'x*' }, {}, {}],
    [
      'keeps to its type',
      { kind: 'mask', path: 'a', method: 'redact', entity_types: ['col*'] },
      { a: 'x' },
      { a: 'x' },
    ],
    [
      'keeps to its condition',
      { kind: 'mask', path: 'a', method: 'redact', when: '"pii" in tags' },
      { a: 'x' },
      { a: 'x' },
    ],
  ])('%s', (_name, rule, before, after) => {
    expect(attributesAfter(rules(rule), before)).toEqual({ name: 'orders', ...after });
  });

  it('hashes with a key of the tenant, alike for equal values', () => {
    const rule = { kind: 'mask', path: 'mail', method: 'hash', name: 'h' } as const;
    const hashed = (tenant: string, mail: string): unknown => {
      const outcome = compile(tenant, 1, ruleSetSchema.parse({ rules: [rule] })).apply(record({ mail }), 'rest');
      return outcome.kind === 'kept' ? outcome.record.attributes?.['mail'] : outcome;
    };
    expect(hashed('acme', 'a@b')).toMatch(/^hmac-sha256:[0-9a-f]{32}$/);
    expect(hashed('acme', 'a@b')).toBe(hashed('acme', 'a@b'));
    expect(new Set([hashed('acme', 'a@b'), hashed('acme', 'a@c'), hashed('globex', 'a@b')]).size).toBe(3);
  });

  it('masks statistics by pattern as well', () => {
    const set = rules({ kind: 'mask', pattern: '\\d{3}-\\d{4}', method: 'redact' });
    const outcome = set.apply(record({}, { statistics: { sample: '555-1234' } }), 'rest');
    expect(outcome).toMatchObject({ kind: 'kept', record: { statistics: { sample: '[redacted]' } } });
  });

  it('drops, says which one, and lets deletions pass', () => {
    const set = rules({ kind: 'drop', when: 'name.startsWith("tmp_")' });
    expect(set.apply(record({ name: 'tmp_1' }), 'rest')).toMatchObject({ kind: 'dropped', rule: 'r0' });
    const deletion: IngestRecord = { op: 'delete', entity_type: 'table', qualified_name: 'tmp_1' };
    expect(set.apply(deletion, 'rest')).toMatchObject({ kind: 'kept', record: deletion });
  });

  it('neither fills nor tags what a merge leaves as it is', () => {
    const set = rules(
      { kind: 'default', path: 'tier', value: 1 },
      { kind: 'tag', tags: ['a'] },
      { kind: 'mask', path: 'mail', method: 'redact' },
    );
    const merge: IngestRecord = { op: 'merge', entity_type: 'table', qualified_name: 'x' };
    expect(set.apply(merge, 'rest')).toMatchObject({ kind: 'kept', record: merge });
    const withMail: IngestRecord = { ...merge, attributes: { mail: 'a@b', tags: ['b'] } };
    expect(set.apply(withMail, 'rest')).toMatchObject({
      record: { attributes: { mail: '[redacted]', tags: ['b', 'a'] } },
    });
  });
});

describe('a rule that fails', () => {
  it.each<[string, object, Record<string, Json>, string]>([
    [
      'on a key that is not there',
      { kind: 'derive', path: 'x', expression: 'attributes.missing + "!"' },
      {},
      'No such key: missing',
    ],
    ['on a type', { kind: 'tag', tags: ['x'], when: 'attributes.rows + "x" == "x"' }, { rows: 1 }, 'no such overload'],
    ['on a name that is taken', { kind: 'rename', from: 'a', to: 'b' }, { a: 1, b: 2 }, 'there is a b already'],
    ['on a text in the way', { kind: 'default', path: '/a/b', value: 1 }, { a: 'text' }, 'there is a string where "b"'],
    [
      'because the record is no longer valid',
      { kind: 'rename', from: 'name', to: 'title' },
      {},
      'it leaves attributes.name wrong',
    ],
    [
      'because it costs too much',
      { kind: 'mask', pattern: 'ab?', method: 'redact' },
      { a: 'ab'.repeat(150_000) },
      'cost more',
    ],
  ])('%s leaves the record untouched and is named', (_name, rule, attributes, detail) => {
    const set = rules({ kind: 'default', path: 'first', value: true }, rule);
    const given = record(attributes);
    const before = JSON.stringify(given);
    const outcome = set.apply(given, 'rest');
    expect(outcome).toMatchObject({ kind: 'failed', rule: 'r1' });
    expect((outcome as Extract<RuleOutcome, { kind: 'failed' }>).detail).toContain(detail);
    expect(JSON.stringify(given)).toBe(before);
  });
});

describe('a definition', () => {
  it.each<[string, object, string]>([
    ['a condition that does not compile', { kind: 'drop', when: 'attributes.' }, '/rules/0/when'],
    ['a condition that is none', { kind: 'drop', when: 'name' }, '/rules/0/when'],
    ['a pattern that cannot be', { kind: 'tag', tags: ['x'], pattern: '(a' }, '/rules/0/pattern'],
    ['a mask of nothing', { kind: 'mask', pattern: 'a*', method: 'redact' }, '/rules/0/pattern'],
    [
      'an expression with a function that is not there',
      { kind: 'derive', path: 'x', expression: 'fetch(name)' },
      '/rules/0/expression',
    ],
  ])('with %s is refused at its place', (_name, rule, pointer) => {
    const found = ((): unknown => {
      try {
        return rules(rule);
      } catch (error) {
        return error;
      }
    })();
    expect(found).toBeInstanceOf(RuleFault);
    expect((found as RuleFault).pointer).toBe(pointer);
  });

  it.each([
    [{ kind: 'drop' }],
    [{ kind: 'mask', method: 'redact' }],
    [{ kind: 'default', path: '/a/__proto__', value: 1 }],
    [{ kind: 'tag', tags: ['x'], glob: 'a', pattern: 'b' }],
    [{ kind: 'rename', from: 'a', to: 'b', extra: 1 }],
  ])('%j has not the documented form', (rule) => {
    expect(ruleSetSchema.safeParse({ rules: [{ name: 'r', ...rule }] }).success).toBe(false);
  });
});

const word = fc.constantFrom('a', 'b', 'name', 'tags', 'mail', 'constructor', 'owner');
const anyRule = fc.oneof(
  fc.record({ kind: fc.constant('rename'), from: word, to: word }),
  fc.record({ kind: fc.constant('default'), path: word, value: fc.jsonValue({ maxDepth: 1 }) }),
  fc.record({
    kind: fc.constant('derive'),
    path: word,
    expression: fc.constantFrom('attributes.a', 'name + "!"', 'size(tags)', 'attributes'),
  }),
  fc.record({
    kind: fc.constant('mask'),
    path: fc.constantFrom('a', '/a/*', '/owner/mail', 'name'),
    method: fc.constantFrom('redact', 'hash', 'partial', 'last4'),
  }),
  fc.record({
    kind: fc.constant('mask'),
    pattern: fc.constantFrom('\\w+@\\w+', '[0-9]+', 'a'),
    method: fc.constantFrom('redact', 'hash', 'partial'),
  }),
  fc.record({
    kind: fc.constant('tag'),
    tags: fc.array(fc.constantFrom('x', 'y'), { minLength: 1, maxLength: 2 }),
    glob: fc.constantFrom('*', 'o*'),
  }),
  fc.record({ kind: fc.constant('drop'), when: fc.constantFrom('has(attributes.a)', 'name == "zz"') }),
);
const anyAttributes = fc.dictionary(word, fc.jsonValue({ maxDepth: 2 })).map((some) => ({ ...some, name: 'orders' }));

describe('any rules on any record', () => {
  it('give the same outcome every time, a valid record or none, and never throw', () => {
    const seen = { kept: 0, dropped: 0, failed: 0 };
    fc.assert(
      fc.property(fc.array(anyRule, { maxLength: 5 }), anyAttributes, (list, attributes) => {
        const given = record(attributes);
        fc.pre(ingestRecordSchema.safeParse(given).success);
        const set = rules(...list);
        const outcome = set.apply(given, 'rest');
        expect(set.apply(structuredClone(given), 'rest')).toEqual(outcome);
        seen[outcome.kind] += 1;
        if (outcome.kind === 'kept') expect(ingestRecordSchema.safeParse(outcome.record).success).toBe(true);
      }),
      { numRuns: 2_000 },
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(20);
  });

  it('that mask by path, fill or tag say nothing new the second time', () => {
    const stable = fc.oneof(
      fc.record({
        kind: fc.constant('mask'),
        path: fc.constantFrom('a', '/a/*', 'mail', 'owner'),
        method: fc.constantFrom('redact', 'hash', 'partial', 'last4'),
        keep_start: fc.nat(8),
        keep_end: fc.nat(8),
      }),
      fc.record({
        kind: fc.constant('default'),
        path: fc.constantFrom('b', 'tier'),
        value: fc.constantFrom(1, 'x', true),
      }),
      fc.record({ kind: fc.constant('tag'), tags: fc.constant(['x']), glob: fc.constantFrom('*', 'o*') }),
    );
    fc.assert(
      fc.property(stable, anyAttributes, (rule, attributes) => {
        const set = rules(rule);
        const once = set.apply(record(attributes), 'rest');
        if (once.kind !== 'kept') return;
        expect(set.apply(once.record, 'rest')).toEqual({ kind: 'kept', record: once.record, changedBy: [] });
      }),
      { numRuns: 1_000 },
    );
  });
});

it('does not blame a rule for what was beyond a limit before, as the many datasets of a job may be', () => {
  const upstream = Array.from({ length: 1_500 }, (_, at) => ({ entity_type: 'dataset', qualified_name: `d${at}` }));
  const job = record({}, { entity_type: 'job', upstream });
  const outcome = rules({ kind: 'tag', tags: ['x'] }).apply(job, 'openlineage');
  expect(outcome).toMatchObject({ kind: 'kept', record: { attributes: { tags: ['x'] } } });
});
