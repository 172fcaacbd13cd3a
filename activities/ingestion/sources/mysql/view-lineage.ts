/** A relation by its database and name. */
export interface RelationName {
  database: string;
  name: string;
}

/** A string, an identifier, a word, or one other sign. */
const tokens = /'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*"|`(?:[^`]|``)*`|[A-Za-z_][A-Za-z0-9_]*|\S/g;

/** Characters of a definition beyond which it is not looked into. */
const longestDefinition = 4 * 1024 * 1024;

/**
 * The relations that a view names, from the definition that MariaDB keeps of it. The server writes it anew: every identifier in
 * backticks, every relation with its database, every join spelt out. So a relation is a pair of identifiers behind FROM or
 * JOIN, with nothing but opening brackets between. What is in functions (`extract(year from …)`) may look the same; whether
 * there is such a relation, the catalogue knows.
 */
export function relationsOf(definition: string): RelationName[] {
  if (definition.length > longestDefinition) return [];
  const found = new Map<string, RelationName>();
  const all = definition.match(tokens) ?? [];
  let expected = false;
  for (let at = 0; at < all.length; at += 1) {
    const token = all[at] ?? '';
    if (token === '(') continue;
    if (expected && token.startsWith('`')) {
      const [dot, name = '', next] = [all[at + 1], all[at + 2], all[at + 3]];
      if (dot === '.' && name.startsWith('`') && next !== '.') {
        const relation = { database: unquote(token), name: unquote(name) };
        found.set(JSON.stringify(relation), relation);
      }
    }
    expected = /^(?:from|join|straight_join)$/i.test(token);
  }
  return [...found.values()];
}

function unquote(identifier: string): string {
  return identifier.slice(1, -1).replaceAll('``', '`');
}
