import fc from 'fast-check';

/** A query and, for each of its output columns, what it is computed from. Columns are called `k0`, `k1`, … and are integers. */
export interface BuiltQuery {
  sql: string;
  columns: Set<string>[];
}

/** A part of FROM: its SQL, with `alias` for its name, and its integer columns. */
interface Relation {
  sql: (alias: string) => string;
  columns: { name: string; sources: Set<string> }[];
}

interface Expression {
  sql: string;
  sources: Set<string>;
}

const union = (...sets: Set<string>[]): Set<string> => new Set(sets.flatMap((set) => [...set]));
const leaf = (table: string, names: string[]): Relation => ({
  sql: (alias) => `${table} AS ${alias}`,
  columns: names.map((name) => ({ name, sources: new Set([`${table}.${name}`]) })),
});
const leaves = [leaf('t', ['a', 'b']), leaf('u', ['a', 'd']), leaf('n', ['id', 'parent'])];

const columnsOf = (query: BuiltQuery): Relation['columns'] =>
  query.columns.map((sources, index) => ({ name: `k${index}`, sources }));
const derived = (query: BuiltQuery): Relation => ({
  sql: (alias) => `(${query.sql}) AS ${alias}`,
  columns: columnsOf(query),
});

/** Draws whole numbers from a list of random ones, so that a query follows from the list alone and shrinks with it. */
class Draws {
  readonly #numbers: number[];
  #next = 0;

  constructor(numbers: number[]) {
    this.#numbers = numbers;
  }

  below(limit: number): number {
    const number = this.#numbers[this.#next] ?? 0;
    this.#next += 1;
    return number % limit;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }
}

class Builder {
  readonly #draw: Draws;
  #names = 0;

  constructor(numbers: number[]) {
    this.#draw = new Draws(numbers);
  }

  /** A query with `width` columns; `outer` are expressions of the query around it that it may use. */
  query(depth: number, width: number, outer: Expression[] = []): BuiltQuery {
    const form = depth === 0 ? 0 : this.#draw.below(7);
    if (form === 1) return this.#combined(depth, width);
    if (form === 2) return this.#common(depth, width);
    if (form === 3) return this.#recursive(depth, width);
    return this.#select(depth, width, outer);
  }

  #select(depth: number, width: number, outer: Expression[]): BuiltQuery {
    const from: string[] = [];
    const scope: Expression[] = [...outer];
    const count = 1 + this.#draw.below(3);
    for (let index = 0; index < count; index++) {
      const alias = this.#name('f');
      const lateral = depth > 0 && index > 0 && this.#draw.below(3) === 0;
      const relation = this.#relation(depth, lateral ? scope : []);
      const sql = relation.sql(alias);
      from.push(
        index === 0
          ? sql
          : `${this.#draw.pick(['CROSS JOIN', 'LEFT JOIN', 'JOIN'])} ${lateral && sql.startsWith('(') ? 'LATERAL ' : ''}${sql}`,
      );
      for (const { name, sources } of relation.columns) scope.push({ sql: `${alias}.${name}`, sources });
    }
    const joined = from.map((part) => (/^(LEFT JOIN|JOIN)/.test(part) ? `${part} ON true` : part)).join(' ');
    const where = this.#draw.below(3) === 0 ? ` WHERE ${this.#draw.pick(scope).sql} > 0` : '';
    const grouped = this.#draw.below(5) === 0;
    const outputs = Array.from({ length: width }, () => this.#expression(depth, scope));
    if (!grouped) return this.#assembled(outputs, ` FROM ${joined}${where}`);
    const [first, ...rest] = outputs;
    if (first === undefined) throw new Error('a query needs a column');
    // An aggregate over columns of the query around it alone would belong to that query.
    const own = this.#draw.pick(scope.slice(outer.length));
    const totals = rest.map(({ sql, sources }) => ({
      sql: `max(coalesce(${own.sql}, ${sql}))::int`,
      sources: union(own.sources, sources),
    }));
    return this.#assembled([first, ...totals], ` FROM ${joined}${where} GROUP BY 1`);
  }

  #assembled(outputs: Expression[], tail: string): BuiltQuery {
    const list = outputs.map(({ sql }, index) => `${sql} AS k${index}`).join(', ');
    return { sql: `SELECT ${list}${tail}`, columns: outputs.map(({ sources }) => sources) };
  }

  #combined(depth: number, width: number): BuiltQuery {
    const [left, right] = [this.query(depth - 1, width), this.query(depth - 1, width)];
    const operator = this.#draw.pick(['UNION', 'UNION ALL', 'INTERSECT', 'EXCEPT']);
    const columns = left.columns.map((sources, index) =>
      operator === 'EXCEPT' ? sources : union(sources, right.columns[index] ?? new Set()),
    );
    return { sql: `(${left.sql}) ${operator} (${right.sql})`, columns };
  }

  #common(depth: number, width: number): BuiltQuery {
    const name = this.#name('c');
    const inner = this.query(depth - 1, 2);
    const alias = this.#name('f');
    const scope = columnsOf(inner).map(({ name: column, sources }) => ({ sql: `${alias}.${column}`, sources }));
    const outputs = Array.from({ length: width }, () => this.#expression(depth - 1, scope));
    const body = this.#assembled(outputs, ` FROM ${name} AS ${alias}`);
    return { sql: `WITH ${name} AS (${inner.sql}) ${body.sql}`, columns: body.columns };
  }

  /** Its second arm turns the columns round, so each comes from all. */
  #recursive(depth: number, width: number): BuiltQuery {
    const name = this.#name('r');
    const start = this.query(depth - 1, width);
    const turned = start.columns.map((_, index) => `k${(index + 1) % width}`).join(', ');
    const all = union(...start.columns);
    const list = start.columns.map((_, index) => `k${index}`).join(', ');
    return {
      sql: `WITH RECURSIVE ${name} (${list}) AS ((${start.sql}) UNION SELECT ${turned} FROM ${name}) SELECT ${list} FROM ${name}`,
      columns: start.columns.map(() => all),
    };
  }

  #relation(depth: number, outer: Expression[]): Relation {
    if (depth === 0 || this.#draw.below(2) === 0) return this.#draw.pick(leaves);
    if (this.#draw.below(4) === 0 && outer.length > 0) {
      const [one, two] = [this.#draw.pick(outer), this.#draw.pick(outer)];
      return {
        sql: (alias) => `(VALUES (${one.sql}, 1), (${two.sql}, 2)) AS ${alias} (k0, k1)`,
        columns: [
          { name: 'k0', sources: union(one.sources, two.sources) },
          { name: 'k1', sources: new Set() },
        ],
      };
    }
    return derived(this.query(depth - 1, 1 + this.#draw.below(3), outer));
  }

  #expression(depth: number, scope: Expression[]): Expression {
    const one = this.#draw.pick(scope);
    const two = this.#draw.pick(scope);
    const both = union(one.sources, two.sources);
    switch (this.#draw.below(depth === 0 ? 5 : 7)) {
      case 1:
        return { sql: `(${one.sql} + ${two.sql})`, sources: both };
      case 2:
        return { sql: `coalesce(${one.sql}, ${two.sql}, 0)`, sources: both };
      case 3:
        return { sql: `(CASE WHEN ${one.sql} > 0 THEN ${two.sql} ELSE 7 END)`, sources: both };
      case 4:
        return { sql: `length(${one.sql}::text)`, sources: one.sources };
      case 5: {
        const inner = this.query(depth - 1, 1, scope);
        const name = this.#name('s');
        return {
          sql: `(SELECT max(${name}.k0)::int FROM (${inner.sql}) ${name})`,
          sources: inner.columns[0] ?? new Set(),
        };
      }
      default:
        return one;
    }
  }

  #name(prefix: string): string {
    this.#names += 1;
    return `${prefix}${this.#names}`;
  }
}

/** Queries over the tables `t (a, b)`, `u (a, d)` and `n (id, parent)`, nested up to four deep, with the lineage that they must have. */
export const randomQuery: fc.Arbitrary<BuiltQuery> = fc
  .array(fc.nat({ max: 10_000 }), { minLength: 40, maxLength: 300 })
  .map((numbers) => new Builder(numbers).query(4, 2));
