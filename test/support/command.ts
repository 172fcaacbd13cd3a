import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as after } from 'node:timers';
import { CHECKOUT } from '#deploy/local/paths.ts';

export interface CommandOptions {
  env?: Readonly<Record<string, string>>;
  /** Copies the output to the terminal while it comes, besides collecting it. */
  live?: boolean;
  /** The command is ended after this. */
  timeoutMs: number;
}

export interface CommandResult {
  /** 0 only when the command ended by itself, and well. */
  code: number;
  output: string;
}

const graceMs = 10_000;
const underWay = new Set<ChildProcess>();

/** Runs a program of node_modules or a path, from the checkout's root, and collects what it writes. */
export function runCommand(command: string, args: readonly string[], options: CommandOptions): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: CHECKOUT,
      env: { ...process.env, ...(process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}), ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    underWay.add(child);
    let output = '';
    const take = (chunk: string): void => {
      output += chunk;
      if (options.live) process.stdout.write(chunk);
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    const limit = after(() => {
      take(`\nended: it took longer than ${options.timeoutMs / 1000} s\n`);
      end(child);
    }, options.timeoutMs);
    const settle = (code: number): void => {
      clearTimeout(limit);
      underWay.delete(child);
      resolve({ code, output });
    };
    child.once('error', (error) => {
      take(`${command} cannot be started: ${error.message}\n`);
      settle(1);
    });
    child.once('close', (code) => settle(code ?? 1));
  });
}

/** Ends every command that is under way. */
export function endCommands(): void {
  for (const child of underWay) end(child);
}

function end(child: ChildProcess): void {
  child.kill('SIGTERM');
  after(() => child.kill('SIGKILL'), graceMs).unref();
}
