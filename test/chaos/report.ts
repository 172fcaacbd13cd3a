import type { ConsistencyReport } from '#test/support/consistency.ts';
import type { Killing } from './killer.ts';
import type { Ledger, LedgerCheck } from './ledger.ts';

const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** Prints a table of names and numbers. */
export function printTable(title: string, rows: readonly (readonly [string, string | number])[]): void {
  const width = Math.max(...rows.map(([name]) => name.length));
  print(`\n${title}`);
  for (const [name, value] of rows) {
    print(`  ${name.padEnd(width)}  ${(typeof value === 'number' ? value.toLocaleString('en') : value).padStart(9)}`);
  }
}

export function printReport(
  killings: readonly Killing[],
  ledger: Ledger,
  check: LedgerCheck,
  report: ConsistencyReport,
): void {
  const { counts } = report;
  printTable(
    'Killed with SIGKILL, and gone for',
    killings.map(({ service, downMs }) => [service, `${(downMs / 1_000).toFixed(1)} s`] as const),
  );
  printTable('Acknowledged records', [
    ['acknowledged', check.counts.acknowledged],
    ['= applied (made a version)', check.counts.applied],
    ['+ unchanged', check.counts.unchanged],
    ['+ dead-lettered', check.counts['dead-lettered']],
    ['+ lost', check.counts.lost],
    ['entities they are about', check.counts.entities],
    ['attempts that failed', ledger.failedAttempts],
    ['of them without any answer', ledger.hangingAttempts],
    ['arrived without acknowledgement', check.counts.arrivedUnacknowledged],
    ['refused with 404 or 412', ledger.refused],
    ['writes that asked to wait', ledger.waits],
    ['applied in time, and then read', ledger.readsAfterWrite],
  ]);
  printTable('What is stored', [
    ['raw records', counts.records],
    ['entities', counts.entities],
    ['of them deleted', counts.deletedEntities],
    ['versions', counts.versions],
    ['change events', counts.events],
    ['of them repeated', counts.repeatedEvents],
    ['graph nodes', counts.nodes],
    ['of them pending', counts.pendingNodes],
    ['graph edges', counts.edges],
  ]);
}
