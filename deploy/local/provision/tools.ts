import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { StackError } from '../failure.ts';

const run = promisify(execFile);

/** A program that must already be on the machine, because Lily can neither bring nor build it. */
export interface Tool {
  readonly name: string;
  /** What Lily does with it, to end the sentence "… is needed to". */
  readonly use: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Whether the tool's own answer shows that it will do. */
  readonly accepts: (output: string) => boolean;
}

/** The Java that runs Kafka and Neo4j: the one of JAVA_HOME, or the one on PATH. */
export function javaCommand(): string {
  const home = process.env['JAVA_HOME'];
  return home ? join(home, 'bin', 'java') : 'java';
}

/** The Python that fetches packages. */
export const PYTHON = 'python3';

export function javaTool(): Tool {
  return {
    name: 'Java 17 or later',
    use: 'run Kafka and Neo4j',
    command: javaCommand(),
    args: ['-version'],
    accepts: (output) => Number(/version "(\d+)/.exec(output)?.[1] ?? 0) >= 17,
  };
}

export function pythonTool(): Tool {
  return {
    name: 'Python 3.10 or later with pip',
    use: 'download MongoDB, Kafka and Neo4j',
    command: PYTHON,
    args: ['-c', 'import sys, pip; print(sys.version_info >= (3, 10))'],
    accepts: (output) => output.includes('True'),
  };
}

export function goTool(): Tool {
  return {
    name: 'Go 1.24 or later',
    use: 'build Temporal once',
    command: 'go',
    args: ['version'],
    accepts: (output) => {
      const [, major, minor] = /go(\d+)\.(\d+)/.exec(output) ?? [];
      return Number(major) > 1 || (Number(major) === 1 && Number(minor) >= 24);
    },
  };
}

/** The sentence about a tool that is missing or too old. */
export function missingToolMessage(tool: Tool, found: string | undefined): string {
  const state =
    found === undefined ? `"${tool.command}" was not found` : `"${tool.command}" is there but does not do (${found})`;
  return `${tool.name} is needed to ${tool.use}, but ${state}: install it and run the command again.`;
}

/** @throws {StackError} when the tool is missing, broken or too old. */
export async function requireTool(tool: Tool): Promise<void> {
  const probe = await probeTool(tool);
  if (!probe.ok) throw new StackError(missingToolMessage(tool, probe.found));
}

async function probeTool(tool: Tool): Promise<{ ok: boolean; found?: string }> {
  try {
    const { stdout, stderr } = await run(tool.command, [...tool.args], { timeout: 30_000 });
    const output = `${stdout}\n${stderr}`;
    return { ok: tool.accepts(output), found: firstLine(output) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { ok: false };
    return { ok: false, found: firstLine(error instanceof Error ? error.message : String(error)) };
  }
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}
