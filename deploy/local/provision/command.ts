import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { StackError } from '../failure.ts';

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly onLine?: (line: string) => void;
  /** What the command is for, to begin the sentence about its failure. */
  readonly purpose: string;
}

/**
 * Runs a command to its end, handing on its output line by line.
 *
 * @throws {StackError} when it fails, with the last thing that it said.
 */
export async function runCommand(command: string, args: readonly string[], options: CommandOptions): Promise<void> {
  const child = spawn(command, args, { env: { ...process.env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const errors: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => options.onLine?.(line));
  createInterface({ input: child.stderr }).on('line', (line) => {
    options.onLine?.(line);
    if (line.trim() !== '') errors.push(line.trim());
    if (errors.length > 50) errors.shift();
  });
  const code = await new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.once('error', (error) =>
      reject(new StackError(`${options.purpose} failed: ${command} cannot be run (${error.message}).`)),
    );
    child.once('close', (status, signal) => resolve(status ?? signal ?? 'SIGKILL'));
  });
  if (code === 0) return;
  const reason = errors.at(-1) ?? `${command} ended with ${code}`;
  throw new StackError(`${options.purpose} failed: ${reason}`);
}
