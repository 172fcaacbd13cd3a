import type { Client } from 'pg';

export interface WideDatabase {
  tables: number;
  columnsPerTable: number;
  /** Views over the first tables, each over the view before. */
  views?: number;
}

/** Fills a database with tables `wide.t_0001`, …, each with columns `c_01`, … and a comment; for tests and the benchmark. */
export async function createWideDatabase(
  client: Client,
  { tables, columnsPerTable, views = 0 }: WideDatabase,
): Promise<void> {
  const types = ['integer', 'text', 'numeric(12,2)', 'timestamptz', 'boolean'];
  const pad = (number: number, digits: number): string => String(number).padStart(digits, '0');
  const columns = Array.from({ length: columnsPerTable }, (_, index) => {
    const type = types[index % types.length] ?? 'text';
    return index === 0 ? 'c_01 integer PRIMARY KEY' : `c_${pad(index + 1, 2)} ${type}`;
  }).join(', ');
  await client.query('CREATE SCHEMA wide');
  const tablesAtOnce = 100;
  for (let first = 1; first <= tables; first += tablesAtOnce) {
    const statements: string[] = [];
    for (let number = first; number < first + tablesAtOnce && number <= tables; number++) {
      const name = `wide.t_${pad(number, 4)}`;
      statements.push(`CREATE TABLE ${name} (${columns})`, `COMMENT ON TABLE ${name} IS 'Table ${number}'`);
    }
    await client.query(statements.join(';\n'));
  }
  for (let number = 1; number <= views; number++) {
    const below = number === 1 ? 'wide.t_0001' : `wide.v_${pad(number - 1, 4)}`;
    await client.query(`CREATE VIEW wide.v_${pad(number, 4)} AS SELECT * FROM ${below}`);
  }
}
