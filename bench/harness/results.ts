import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ceilingLines, type Ceilings } from '../ceilings/measure.ts';
import type { Figure } from './figure.ts';
import type { Machine } from './machine.ts';
import { markdownTable } from './table.ts';

export interface Results {
  machine: Machine;
  /** How busy the machine was with other things before, in percent. */
  busyBefore: number;
  quick: boolean;
  seconds: number;
  ceilings: Ceilings;
  figures: Figure[];
  failures: string[];
}

const folder = join(import.meta.dirname, '../results');

/** Writes the results as JSON and as Markdown; gives the names of the files, from the checkout's root. */
export function writeResults(results: Results): string[] {
  mkdirSync(folder, { recursive: true });
  const name = results.quick ? 'quick' : 'latest';
  const json = join(folder, `${name}.json`);
  const markdown = join(folder, `${name}.md`);
  writeFileSync(json, `${JSON.stringify({ measured_at: new Date().toISOString(), ...results }, null, 2)}\n`);
  writeFileSync(markdown, markdownOf(results));
  return [json, markdown].map((file) => relative(process.cwd(), file));
}

function markdownOf({ machine, busyBefore, seconds, quick, ceilings, figures, failures }: Results): string {
  const { processors, memoryGb, kernel, node } = machine;
  return [
    `# Measured by \`npm run bench\`${quick ? ' --quick' : ''}`,
    '',
    `On ${new Date().toISOString().slice(0, 10)}, in ${seconds} s, on ${processors}, ${memoryGb} GB, Linux ${kernel}, Node ${node}; ${busyBefore} % busy with other things before. Load, Lily and all servers share these processors.`,
    '',
    'What the servers do alone, by their bare clients, in the same run:',
    '',
    ...ceilingLines(ceilings).map((line) => `- ${line}`),
    '',
    markdownTable(figures),
    '',
    'Ratio: for rates the share of the first ceiling that is reached, for times how many times as long as the first ceiling. CPU shares are in percent of one processor.',
    ...failures.map((failure) => `\n**Failed:** ${failure}`),
    '',
  ].join('\n');
}
