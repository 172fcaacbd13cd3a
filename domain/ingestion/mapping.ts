import { z } from 'zod';
import type { EntityRef, Json } from '../assets/entity.ts';
import { ingestRecordSchema, type StatedRecord } from '../assets/record.ts';
import { defaultQualifiedName } from '../assets/identity.ts';
import { limits } from '../limits.ts';

/**
 * How a row of a file, or a message of somebody else's making, becomes a record. One form for every door that takes
 * foreign content: files, webhooks, external topics.
 */

const pathSchema = z
  .string()
  .min(1)
  .max(512)
  .meta({
    description:
      'Where the value stands: a JSON pointer (`/owner/name`) into a nested row, or else the name of a column or top-level key',
    examples: ['Table Name', '/owner/name'],
  });

/** Where a value comes from: a path, or more precisely `{path, default, split, as}`, or the same `{value}` for every row. */
const fieldSchema = z.union(
  [
    pathSchema,
    z.strictObject({ value: z.json() }),
    z.strictObject({
      path: pathSchema,
      default: z
        .json()
        .optional()
        .meta({ description: 'Taken where the row has nothing there, or only an empty text' }),
      split: z.string().min(1).max(8).optional().meta({ description: 'Cuts a text into a list at this separator' }),
      as: z.enum(['text', 'number', 'boolean', 'json']).optional().meta({ description: 'What the text is read as' }),
    }),
  ],
  { error: 'must be a path, {"value": …} or {"path": …, "default"?, "split"?, "as"?}' },
);

const refSchema = z.strictObject({ entity_type: fieldSchema, qualified_name: fieldSchema });

export const mappingSchema = z
  .strictObject({
    records: z.string().max(512).optional().meta({
      description:
        'JSON pointer to the list of rows in a JSON document; the name of the element of a row in an XML one',
    }),
    entity_type: fieldSchema,
    qualified_name: fieldSchema.optional().meta({ description: 'Without it, it follows from parent and name' }),
    attributes: z
      .record(z.string().min(1).max(256), fieldSchema)
      .refine((attributes) => 'name' in attributes, 'must say where `name` comes from'),
    /** Keep the columns that no rule names, as attributes of the same name. */
    rest: z.boolean().optional().meta({ description: 'Keep what no rule names, as attributes of the same name' }),
    parent: refSchema.optional(),
    upstream: z.array(refSchema).max(20).optional(),
    relationships: z
      .array(z.strictObject({ relationship_type: z.string(), target: refSchema }))
      .max(20)
      .optional(),
  })
  .meta({ id: 'Mapping', description: 'How a row or message becomes an entity' });

export type Mapping = z.infer<typeof mappingSchema>;
type Field = z.infer<typeof fieldSchema>;

export type Row = { [key: string]: Json | undefined };

export type Mapped = { ok: true; record: StatedRecord } | { ok: false; detail: string };

/** What a row is without a mapping: it has Lily's own names, and whatever else it holds becomes attributes. */
export const defaultMapping: Mapping = {
  entity_type: 'entity_type',
  qualified_name: 'qualified_name',
  attributes: {
    name: 'name',
    description: 'description',
    created_by: 'created_by',
    tags: { path: 'tags', split: ',' },
  },
  rest: true,
  parent: { entity_type: 'parent_type', qualified_name: 'parent' },
  upstream: [{ entity_type: 'upstream_type', qualified_name: { path: 'upstream', split: ',' } }],
};

/** Makes a record of a row. Pure; the answer says what is wrong in words for people, without the row's place. */
export function applyMapping(mapping: Mapping, row: Row): Mapped {
  try {
    const record = recordOf(mapping, row);
    const parsed = ingestRecordSchema.safeParse(record);
    if (parsed.success) return { ok: true, record };
    const faults = parsed.error.issues.slice(0, 5).map(({ path, message }) => `${path.join('.') || 'row'} ${message}`);
    return { ok: false, detail: faults.join('; ') };
  } catch (error) {
    if (error instanceof MappingFault) return { ok: false, detail: error.message };
    throw error;
  }
}

/** The columns or top-level keys that a mapping takes of a row. */
export function columnsOf(mapping: Mapping): ReadonlySet<string> | 'all' {
  if (mapping.rest === true) return 'all';
  const refs = [mapping.parent, ...(mapping.upstream ?? []), ...(mapping.relationships ?? []).map((one) => one.target)];
  const fields = [
    mapping.entity_type,
    mapping.qualified_name,
    ...Object.values(mapping.attributes),
    ...refs.flatMap((ref) => [ref?.entity_type, ref?.qualified_name]),
  ];
  return new Set(fields.flatMap((field) => topOf(field) ?? []));
}

/** The column or top-level key that a field is read from. */
function topOf(field: Field | undefined): string | undefined {
  if (field === undefined || (typeof field !== 'string' && 'value' in field)) return undefined;
  const path = typeof field === 'string' ? field : field.path;
  return path.startsWith('/') ? stepsOf(path)[0] : path;
}

/** The steps of a JSON pointer. */
function stepsOf(path: string): string[] {
  return path
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

class MappingFault extends Error {}

function recordOf(mapping: Mapping, row: Row): StatedRecord {
  const used = new Set<string>();
  const read = (field: Field): Json | undefined => valueOf(field, row, used);
  const attributes: Record<string, Json> = {};
  for (const [key, field] of Object.entries(mapping.attributes)) {
    const value = read(field);
    if (value !== undefined) attributes[key] = key === 'tags' ? tagsOf(value) : value;
  }
  const parent = mapping.parent && refsOf(mapping.parent, read)[0];
  const upstream = mapping.upstream?.flatMap((ref) => refsOf(ref, read));
  const relationships = mapping.relationships?.flatMap(({ relationship_type, target }) =>
    refsOf(target, read).map((one) => ({ relationship_type, target: one })),
  );
  const entityType = textOf(read(mapping.entity_type), 'entity_type');
  const name = textOf(attributes['name'], 'name');
  attributes['name'] = name;
  const given = mapping.qualified_name && read(mapping.qualified_name);
  const qualifiedName = given ?? defaultQualifiedName(name, parent);
  if (mapping.rest === true) {
    for (const [key, value] of Object.entries(row)) {
      if (used.has(key) || Object.hasOwn(attributes, key) || isNothing(value)) continue;
      if (key === '__proto__') throw new MappingFault('a column or key may not be called __proto__');
      attributes[key] = value;
    }
  }
  return {
    op: 'upsert',
    entity_type: entityType,
    qualified_name: textOf(qualifiedName, 'qualified_name'),
    attributes: attributes as StatedRecord['attributes'],
    ...(parent && { parent }),
    ...(upstream && upstream.length > 0 && { upstream }),
    ...(relationships && relationships.length > 0 && { relationships }),
  };
}

/** One reference, or one for each name in a list; none where the row names nothing. */
function refsOf(ref: z.infer<typeof refSchema>, read: (field: Field) => Json | undefined): EntityRef[] {
  const names = read(ref.qualified_name);
  const type = read(ref.entity_type);
  if (names === undefined) return [];
  return (Array.isArray(names) ? names : [names]).map((name) => ({
    entity_type: textOf(type, 'entity_type of a reference'),
    qualified_name: textOf(name, 'qualified_name of a reference'),
  }));
}

function valueOf(field: Field, row: Row, used: Set<string>): Json | undefined {
  if (typeof field !== 'string' && 'value' in field) return field.value;
  const { path, default: instead, split, as } = typeof field === 'string' ? { path: field } : field;
  const found = lookUp(row, path, used);
  if (isNothing(found)) return instead;
  const value = as === undefined ? found : converted(found, as, path);
  if (split === undefined || typeof value !== 'string') return value;
  return value
    .split(split)
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function isNothing(value: Json | undefined): value is undefined | null | '' {
  return value === undefined || value === null || value === '';
}

function lookUp(row: Row, path: string, used: Set<string>): Json | undefined {
  if (!path.startsWith('/')) {
    used.add(path);
    return Object.hasOwn(row, path) ? row[path] : undefined;
  }
  const steps = stepsOf(path);
  if (steps[0] !== undefined) used.add(steps[0]);
  let at: Json | undefined = row as Json;
  for (const step of steps) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined;
    at = (at as Record<string, Json>)[step];
  }
  return at;
}

const booleans: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  '1': true,
  false: false,
  no: false,
  '0': false,
};

function converted(value: Json, as: 'text' | 'number' | 'boolean' | 'json', path: string): Json {
  if (as === 'text') return typeof value === 'string' ? value : JSON.stringify(value);
  if (typeof value !== 'string') return value;
  const text = value.trim();
  if (as === 'number') {
    if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) && Number.isFinite(Number(text))) return Number(text);
    throw new MappingFault(`${path} is not a number: ${shortened(text)}`);
  }
  if (as === 'boolean') {
    const known = booleans[text.toLowerCase()];
    if (known !== undefined) return known;
    throw new MappingFault(`${path} is neither true nor false: ${shortened(text)}`);
  }
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new MappingFault(`${path} is not JSON: ${shortened(text)}`);
  }
}

function tagsOf(value: Json): Json {
  const list = Array.isArray(value) ? value : [value];
  return list.map((tag) => (typeof tag === 'number' ? String(tag) : tag));
}

function textOf(value: Json | undefined, what: string): string {
  if (typeof value === 'string' && value !== '') return value;
  if (typeof value === 'number') return String(value);
  if (isNothing(value)) throw new MappingFault(`${what} is missing`);
  throw new MappingFault(`${what} must be a text, not ${Array.isArray(value) ? 'a list' : typeof value}`);
}

function shortened(text: string): string {
  return text.length <= 40 ? `"${text}"` : `"${text.slice(0, limits.tagLength / 8)}…"`;
}
