import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { isSameProcess, type ProcessIdentity } from './process-identity.ts';

const runRecordSchema = z.object({
  pid: z.number().int().min(2),
  startedAt: z.string().min(1),
  command: z.string(),
});

/** What is remembered about a process that was started for a stack. */
export type RunRecord = z.infer<typeof runRecordSchema>;

export function writeRunFile(file: string, identity: ProcessIdentity, command: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}`;
  const record: RunRecord = { pid: identity.pid, startedAt: identity.startedAt, command };
  writeFileSync(draft, `${JSON.stringify(record)}\n`);
  renameSync(draft, file);
}

/** The recorded process, whether or not it still runs. A damaged record counts as none: nothing may be ended on a guess. */
export function readRunFile(file: string): RunRecord | undefined {
  try {
    const parsed = runRecordSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** The recorded process if it is still the same one, otherwise undefined. */
export function readLiveProcess(file: string): RunRecord | undefined {
  const record = readRunFile(file);
  return record !== undefined && isSameProcess(record) ? record : undefined;
}

export function removeRunFile(file: string): void {
  rmSync(file, { force: true });
}
