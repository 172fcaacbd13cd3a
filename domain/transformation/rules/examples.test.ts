import { expect, it } from 'vitest';
import { ruleCompiler } from '#platform/rule-compiler.ts';
import { runExamples } from './examples.ts';
import { ruleSetSchema } from './schema.ts';

it('says of each example whether it holds, and what came instead', () => {
  const definition = ruleSetSchema.parse({
    rules: [
      { name: 'mask-mail', kind: 'mask', path: 'mail', method: 'redact' },
      { name: 'no-temp', kind: 'drop', when: 'name.startsWith("tmp")' },
      { name: 'label', kind: 'derive', path: 'label', expression: 'attributes.part + "!"', entity_types: ['job'] },
    ],
    tests: [
      {
        given: { entity_type: 'table', attributes: { name: 'a', mail: 'x' } },
        expect: { attributes: { mail: '[redacted]', name: 'a' } },
      },
      {
        name: 'wrong',
        given: { entity_type: 'table', attributes: { name: 'a', mail: 'x' } },
        expect: { attributes: { name: 'a', mail: 'x' } },
      },
      { given: { entity_type: 'table', attributes: { name: 'tmp1' } }, expect: { dropped: 'no-temp' } },
      { given: { entity_type: 'table', attributes: { name: 'kept' } }, expect: { dropped: 'no-temp' } },
      { given: { entity_type: 'job', attributes: { name: 'j' } }, expect: { failed: 'label' } },
      { given: { entity_type: 'job', attributes: { name: 'j' } }, expect: { attributes: { name: 'j' } } },
      { given: { entity_type: 'job' }, expect: { attributes: {} } },
    ],
  });
  const results = runExamples(ruleCompiler(Buffer.alloc(32))('acme', 1, definition), definition.tests);
  expect(results).toEqual([
    { name: 'example 1', passed: true },
    { name: 'wrong', passed: false, detail: 'attributes/mail is "[redacted]", not "x"' },
    { name: 'example 3', passed: true },
    { name: 'example 4', passed: false, detail: 'no-temp lets it pass' },
    { name: 'example 5', passed: true },
    { name: 'example 6', passed: false, detail: 'label fails: No such key: part' },
    expect.objectContaining({ passed: false }),
  ]);
});
