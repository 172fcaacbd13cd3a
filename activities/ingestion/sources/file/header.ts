import { FileFault } from './file-fault.ts';

/** The names of a table's columns, in their order. A column without a name is left out of its rows. */
export type Header = readonly string[];

/** @throws FileFault when no column has a name, or two have the same */
export function headerOf(row: number, cells: readonly string[]): Header {
  const names = cells.map((cell) => cell.trim());
  const first = new Map<string, number>();
  for (const [index, name] of names.entries()) {
    if (name === '') continue;
    const before = first.get(name);
    if (before !== undefined) {
      const what = JSON.stringify(name.slice(0, 64));
      throw new FileFault(`Row ${row}: the columns ${before + 1} and ${index + 1} have the same name, ${what}.`);
    }
    first.set(name, index);
  }
  if (first.size === 0) throw new FileFault(`Row ${row}: no column has a name.`);
  return names;
}
