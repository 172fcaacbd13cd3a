import { z } from 'zod';
import { attributesSchema, entityTypeSchema, qualifiedNameSchema } from '../../assets/record.ts';
import { limits } from '../../limits.ts';

const pathDepth = 10;
const refused = (step: string): boolean => step === '__proto__' || step === '';

const pathSchema = z
  .string()
  .min(1)
  .max(512)
  .refine((path) => path.split('/').length <= pathDepth + 1, `may have at most ${pathDepth} steps`)
  .refine((path) => !(path.startsWith('/') ? path.slice(1) : path.replaceAll('/', '')).split('/').some(refused), {
    error: 'has an empty step, or one named __proto__',
  })
  .meta({
    description: 'A top-level attribute (`owner`), or a JSON pointer into the attributes (`/owner/email`)',
    examples: ['owner', '/owner/email'],
  });

const maskPathSchema = pathSchema.meta({
  description: 'Like the path of other rules; `*` stands for every item or key (`/columns/*/sample`)',
});

const expressionSchema = z.string().min(1).max(limits.ruleExpressionLength);
const patternSchema = z
  .string()
  .min(1)
  .max(limits.rulePatternLength)
  .meta({ description: 'A regular expression in the syntax of RE2: without back references and looking around' });
const globSchema = z
  .string()
  .min(1)
  .max(256)
  .meta({ description: '`*` stands for anything, `?` for one character; the whole text must fit' });

export const ruleNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'must be 1 to 64 lower-case letters, digits or `-`');

const common = {
  name: ruleNameSchema,
  description: z.string().max(1_000).optional(),
  entity_types: z
    .array(globSchema)
    .min(1)
    .max(50)
    .optional()
    .meta({ description: 'Only for entities of these types; `*` and `?` are understood' }),
  when: expressionSchema.optional().meta({
    description:
      'A CEL condition over `attributes`, `statistics`, `tags`, `name`, `entity_type`, `qualified_name`, `source_id`, `door` and `op`',
    examples: ['has(attributes.owner) && attributes.owner.endsWith("@example.org")'],
  }),
};

const renameSchema = z.strictObject({ kind: z.literal('rename'), ...common, from: pathSchema, to: pathSchema });
const defaultSchema = z.strictObject({ kind: z.literal('default'), ...common, path: pathSchema, value: z.json() });
const deriveSchema = z.strictObject({
  kind: z.literal('derive'),
  ...common,
  path: pathSchema,
  expression: expressionSchema.meta({ description: 'CEL; null leaves the attribute as it is' }),
});
const keepSchema = z.int().min(0).max(8).optional();
const maskSchema = z
  .strictObject({
    kind: z.literal('mask'),
    ...common,
    path: maskPathSchema.optional(),
    pattern: patternSchema
      .optional()
      .meta({ description: 'Masks what fits in every text of the attributes and statistics, or of those at `path`' }),
    method: z.enum(['redact', 'hash', 'partial', 'last4']),
    keep_start: keepSchema,
    keep_end: keepSchema,
  })
  .refine((rule) => rule.path !== undefined || rule.pattern !== undefined, {
    error: 'needs a path, a pattern, or both',
    path: ['path'],
  });
const tagSchema = z
  .strictObject({
    kind: z.literal('tag'),
    ...common,
    tags: z.array(z.string().min(1).max(limits.tagLength)).min(1).max(20),
    on: z
      .union([z.enum(['name', 'qualified_name', 'entity_type']), pathSchema])
      .optional()
      .meta({ description: 'What `glob` or `pattern` looks at: `name` when it is left out' }),
    glob: globSchema.optional(),
    pattern: patternSchema.optional(),
  })
  .refine((rule) => rule.glob === undefined || rule.pattern === undefined, {
    error: 'may have a glob or a pattern, not both',
    path: ['pattern'],
  });
const dropSchema = z
  .strictObject({ kind: z.literal('drop'), ...common })
  .refine((rule) => rule.when !== undefined || rule.entity_types !== undefined, {
    error: 'is needed: a rule that drops says what (when, or entity_types)',
    path: ['when'],
  });

export const ruleSchema = z.discriminatedUnion('kind', [
  renameSchema,
  defaultSchema,
  deriveSchema,
  maskSchema,
  tagSchema,
  dropSchema,
]);

const givenSchema = z.strictObject({
  op: z.enum(['upsert', 'delete']).optional(),
  entity_type: entityTypeSchema,
  qualified_name: qualifiedNameSchema.optional(),
  source_id: z.string().max(256).optional(),
  attributes: attributesSchema.optional(),
  statistics: z.record(z.string(), z.json()).optional(),
});

const exampleSchema = z.strictObject({
  name: z.string().max(200).optional(),
  given: givenSchema.meta({ description: 'A record as it arrives' }),
  expect: z
    .strictObject({
      attributes: z.record(z.string(), z.json()).optional().meta({ description: 'All attributes afterwards' }),
      statistics: z.record(z.string(), z.json()).optional(),
      dropped: ruleNameSchema.optional().meta({ description: 'The rule that drops it' }),
      failed: ruleNameSchema.optional().meta({ description: 'The rule that fails on it' }),
    })
    .refine((expected) => Object.keys(expected).length > 0, 'says nothing'),
});

/** Body of `PUT /v1/transformation-rules`: a whole set, in the order in which the rules apply. */
export const ruleSetSchema = z
  .strictObject({
    description: z.string().max(1_000).optional(),
    rules: z.array(ruleSchema).max(limits.rulesPerSet),
    tests: z.array(exampleSchema).max(limits.ruleTests).default([]),
  })
  .superRefine(({ rules }, context) => {
    const names = new Set<string>();
    for (const [index, { name }] of rules.entries()) {
      if (names.has(name)) {
        context.addIssue({
          code: 'custom',
          path: ['rules', index, 'name'],
          message: 'is the name of another rule too',
        });
      }
      names.add(name);
    }
  });

export type Rule = z.infer<typeof ruleSchema>;
export type MaskRule = z.infer<typeof maskSchema>;
export type TagRule = z.infer<typeof tagSchema>;
export type RuleSetDefinition = z.infer<typeof ruleSetSchema>;
export type RuleExample = z.infer<typeof exampleSchema>;
export type GivenRecord = z.infer<typeof givenSchema>;
