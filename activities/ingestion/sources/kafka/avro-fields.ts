/** A field as an Avro schema states it. */
export interface AvroField {
  path: string[];
  /** As people write it: `long (timestamp-millis)`, `array<Line>`, `string`. */
  type: string;
  nullable: boolean;
  doc?: string;
}

type Node = Record<string, unknown>;

const mostFields = 2_000;
const deepest = 20;
const longestType = 500;

/** What a schema is called: its full name, or the type itself where it has none. */
export function avroName(schema: unknown): string {
  if (isNode(schema) && typeof schema['name'] === 'string') return fullName(schema, '');
  return typeText(schema, '');
}

/**
 * The fields of an Avro schema, each before its members, in the order that the schema has them. What a union, an array or a map
 * holds are members of the field itself. Only the text of the schema is read: a codec made from a stranger's schema would be
 * code that is made from it.
 */
export function avroFields(schema: unknown): AvroField[] {
  const found = new Map<string, AvroField>();
  const named = new Map<string, { node: Node; space: string }>();

  const visit = (type: unknown, path: string[], space: string, within: readonly string[]): void => {
    if (path.length >= deepest || found.size >= mostFields) return;
    for (const { node, space: inner } of records(type, space, named)) {
      const name = fullName(node, inner);
      // A record that holds itself is described once.
      if (within.includes(name)) continue;
      const own = name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : '';
      for (const field of Array.isArray(node['fields']) ? (node['fields'] as unknown[]) : []) {
        if (!isNode(field) || typeof field['name'] !== 'string' || found.size >= mostFields) continue;
        const below = [...path, field['name']];
        const { type: text, nullable } = described(field['type'], own);
        const doc = typeof field['doc'] === 'string' && field['doc'] !== '' ? { doc: field['doc'] } : {};
        const key = JSON.stringify(below);
        if (!found.has(key)) found.set(key, { path: below, type: text, nullable, ...doc });
        visit(field['type'], below, own, [...within, name]);
      }
    }
  };
  visit(schema, [], '', []);
  return [...found.values()];
}

/** The records that a type is or holds, through unions, arrays, maps and names. */
function records(
  type: unknown,
  space: string,
  named: Map<string, { node: Node; space: string }>,
  depth = 0,
): { node: Node; space: string }[] {
  if (depth > deepest) return [];
  if (Array.isArray(type)) return type.flatMap((one) => records(one, space, named, depth + 1));
  if (typeof type === 'string') {
    const known = named.get(type) ?? named.get(space === '' ? type : `${space}.${type}`);
    return known === undefined ? [] : [known];
  }
  if (!isNode(type)) return [];
  if (type['type'] === 'record' || type['type'] === 'error') {
    const one = { node: type, space };
    named.set(fullName(type, space), one);
    return [one];
  }
  const inner = type['type'] === 'array' ? type['items'] : type['type'] === 'map' ? type['values'] : type['type'];
  return typeof inner === 'object' || typeof inner === 'string' ? records(inner, space, named, depth + 1) : [];
}

function described(type: unknown, space: string): { type: string; nullable: boolean } {
  if (!Array.isArray(type)) return { type: typeText(type, space), nullable: type === 'null' };
  const others = type.filter((one) => one !== 'null');
  const text = others.map((one) => typeText(one, space)).join(' | ');
  return { type: (text === '' ? 'null' : text).slice(0, longestType), nullable: others.length < type.length };
}

function typeText(type: unknown, space: string, depth = 0): string {
  if (depth > deepest) return '…';
  if (typeof type === 'string') return type.slice(0, longestType);
  if (Array.isArray(type))
    return type
      .map((one) => typeText(one, space, depth + 1))
      .join(' | ')
      .slice(0, longestType);
  if (!isNode(type)) return 'unknown';
  if (type['type'] === 'array') return `array<${typeText(type['items'], space, depth + 1)}>`.slice(0, longestType);
  if (type['type'] === 'map') return `map<${typeText(type['values'], space, depth + 1)}>`.slice(0, longestType);
  if (typeof type['name'] === 'string') return fullName(type, space);
  const base = typeText(type['type'], space, depth + 1);
  return typeof type['logicalType'] === 'string' ? `${base} (${type['logicalType']})`.slice(0, longestType) : base;
}

function fullName(node: Node, space: string): string {
  const name = typeof node['name'] === 'string' ? node['name'].slice(0, longestType) : '';
  if (name.includes('.')) return name;
  const own = typeof node['namespace'] === 'string' ? node['namespace'].slice(0, longestType) : space;
  return own === '' ? name : `${own}.${name}`;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
