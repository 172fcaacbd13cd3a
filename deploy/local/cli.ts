import { Command, InvalidArgumentError } from 'commander';
import pc from 'picocolors';
import { reportFailure, StackError } from './failure.ts';
import { STACK_NAMES } from './ports.ts';
import { openProgressView } from './progress.ts';
import { SERVICE_NAMES, type StepName } from './services/service.ts';
import { isStackUp, openStack, type ServiceStatus, type Stack } from './stack.ts';
import { addressTable, statusTable } from './tables.ts';

interface StackOption {
  readonly stack?: string;
}

const STACK_FLAG = ['--stack <name>', `which stack: ${STACK_NAMES.join(', ')} (default: LILY_STACK or dev)`] as const;

const program = new Command('lily').description('The local stack: genuine servers without containers.');

program
  .command('up')
  .description('fetch what is missing, start what does not run, and wait until all of it is healthy')
  .argument('[services...]', 'only these, and nothing else', (value: string, all: StepName[] = []) => [
    ...all,
    parseStep(value),
  ])
  .option(...STACK_FLAG)
  .action(async (services: StepName[], options: StackOption) => {
    const stack = openStack(options.stack);
    const startedAt = Date.now();
    await withProgress((onProgress) => stack.up({ onProgress, ...(services.length > 0 ? { services } : {}) }));
    const status = await stack.status();
    process.stdout.write(`\n${addressTable(stack, status)}\n`);
    process.stdout.write(
      `\nThe stack ${pc.bold(stack.name)} is up after ${seconds(startedAt)}.\n${nextSteps(stack)}\n`,
    );
  });

program
  .command('down')
  .description('end every process of the stack; its data stays')
  .option(...STACK_FLAG)
  .option('--all', 'every stack of this checkout')
  .action(async (options: StackOption & { all?: boolean }) => {
    const { name: named } = openStack(options.stack);
    const others = STACK_NAMES.filter((name) => name !== named && isStackUp(name));
    const names = options.all ? [named, ...others] : [named];
    for (const name of names) {
      const ended = await withProgress((onProgress) => openStack(name).down(onProgress));
      process.stdout.write(ended.length > 0 ? `The stack ${name} is down.\n` : `The stack ${name} was not up.\n`);
    }
    const left = others.filter((name) => !names.includes(name));
    if (left.length > 0)
      process.stdout.write(`Still up: ${left.join(', ')}; "npm run down -- --all" ends every stack.\n`);
  });

program
  .command('status')
  .description('show each process with its pid, address and health')
  .option(...STACK_FLAG)
  .option('--json', 'print a JSON array of {name, pid, address, health}')
  .action(async (options: StackOption & { json?: boolean }) => {
    const status: ServiceStatus[] = await openStack(options.stack).status();
    process.stdout.write(options.json ? `${JSON.stringify(status, null, 2)}\n` : `${statusTable(status)}\n`);
  });

program
  .command('reset')
  .description('end every process of the stack and delete its data, logs and secrets')
  .option(...STACK_FLAG)
  .option('--yes', 'do not ask')
  .action(async (options: StackOption & { yes?: boolean }) => {
    const stack = openStack(options.stack);
    if (!options.yes) await confirmReset(stack);
    await withProgress((onProgress) => stack.reset(onProgress));
    process.stdout.write(`The stack ${stack.name} is down, and its data is deleted.\n`);
  });

function parseStep(value: string): StepName {
  const steps: readonly StepName[] = [...SERVICE_NAMES, 'setup'];
  const step = steps.find((candidate) => candidate === value);
  if (step === undefined) throw new InvalidArgumentError(`The services are ${steps.join(', ')}.`);
  return step;
}

async function withProgress<T>(work: (onProgress: Parameters<Stack['reset']>[0]) => Promise<T>): Promise<T> {
  const view = openProgressView();
  try {
    return await work(view.onProgress);
  } finally {
    view.close();
  }
}

async function confirmReset(stack: Stack): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new StackError(`This deletes all data of the stack ${stack.name}: say so with "npm run reset -- --yes".`);
  }
  const { createInterface } = await import('node:readline/promises');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`Delete all data of the stack ${stack.name}? [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw new StackError('Nothing was deleted.');
  } finally {
    terminal.close();
  }
}

function nextSteps(stack: Stack): string {
  const flag = stack.name === 'dev' ? '' : ` --stack ${stack.name}`;
  const extra = flag === '' ? '' : ` --${flag}`;
  return [
    `  a token   ${pc.cyan(`npm run -s token -- --tenant acme --user ada --role editor${flag}`)}`,
    `  health    ${pc.cyan(`npm run status${extra}`)}`,
    `  the end   ${pc.cyan(`npm run down${extra}`)} (data stays; ${pc.cyan(`npm run reset${extra}`)} deletes it)`,
  ].join('\n');
}

function seconds(startedAt: number): string {
  return `${((Date.now() - startedAt) / 1000).toFixed(1)} s`;
}

try {
  await program.parseAsync();
} catch (error) {
  reportFailure(error);
}
