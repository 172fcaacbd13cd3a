import { expect, test } from 'vitest';
import { queryLineage } from './query-lineage.ts';
import { readLineage } from './view-lineage.ts';

const target = (expression: string): string =>
  `({QUERY :commandType 1 :cteList <> :rtable ({RANGETBLENTRY :rtekind 0 :relid 5} {RANGETBLENTRY :rtekind 42 :relid 6}) ` +
  `:targetList ({TARGETENTRY :expr ${expression} :resno 1 :resjunk false}) :setOperations <>})`;
const variable = (varno: number): string => `{VAR :varno ${varno} :varattno 3 :varlevelsup 0}`;

test('a known form is followed', () => {
  expect(queryLineage(target(variable(1)), 9)).toEqual({
    relations: [5],
    columns: new Map([[1, [{ relid: 5, attnum: 3 }]]]),
  });
});

test.each([
  ['a newer kind of relation', target(variable(2))],
  ['a variable of nothing', target(variable(3))],
  ['a level that is not there', target('{VAR :varno 1 :varattno 3 :varlevelsup 1}')],
  ['a tree that is cut off', target(variable(1)).slice(0, -5)],
  ['a tree that was too large to read', null],
])('%s leaves the relations that the database names, and no columns', (_title, action) => {
  const lineage = readLineage([{ view: 9, action, depends_on: [5, 7] }]);
  expect(lineage.get(9)).toEqual({ relations: [5, 7], columns: undefined });
});
