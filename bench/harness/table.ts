import { aimText, numberText, ratioText, type Figure } from './figure.ts';

const heads = ['', 'figure', 'measured', 'aim', 'raw ceiling', 'ratio', 'what limits it'] as const;

function cells(figure: Figure): string[] {
  const ceilings = figure.ceilings.map(({ what, value }) => `${what} ${numberText(value)}`).join('; ');
  const measured = `${numberText(figure.value)} ${figure.unit}`;
  const name = figure.note === undefined ? figure.name : `${figure.name} (${figure.note})`;
  return [figure.scenario, name, measured, aimText(figure), ceilings, ratioText(figure), figure.limit];
}

/** The figures as a Markdown table, for the README. */
export function markdownTable(figures: readonly Figure[]): string {
  const row = (values: readonly string[]): string =>
    `| ${values.map((value) => value.replaceAll('|', '\\|')).join(' | ')} |`;
  return [row(heads), row(heads.map(() => '---')), ...figures.map((figure) => row(cells(figure)))].join('\n');
}

/** The figures as text: one block a figure, because what limits it needs room. */
export function textTable(figures: readonly Figure[]): string {
  const rows = figures.map(cells);
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const widths = [1, width(1), width(2), width(3)];
  return rows
    .flatMap((row) => [
      [0, 1, 2, 3]
        .map((column) => (row[column] ?? '').padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd() + (row[5] === '' ? '' : `  ${row[5]}`),
      ...(row[4] === '' ? [] : [`     of ${row[4]}`]),
      ...(row[6] === '' ? [] : [`     limit: ${row[6]}`]),
    ])
    .join('\n');
}
