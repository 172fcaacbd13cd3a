import proto from '@temporalio/proto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** One execution of a workflow, as `record.ts` keeps it. */
export interface Recording {
  workflowId: string;
  /** As `History.toObject` writes it: not the SDK's JSON form, which wants every package to share one protobufjs. */
  history: { events: Record<string, unknown>[] };
}

/** What a replay worker takes. */
export function historyOf({ history }: Recording): proto.temporal.api.history.v1.History {
  return proto.temporal.api.history.v1.History.fromObject(history);
}

export const historiesFolder = join(import.meta.dirname, 'histories');

/** Everything that was recorded, by name. */
export function recordings(): { name: string; recording: Recording; bytes: number }[] {
  return readdirSync(historiesFolder)
    .filter((file) => file.endsWith('.json'))
    .toSorted()
    .map((file) => {
      const text = readFileSync(join(historiesFolder, file), 'utf8');
      return { name: basename(file, '.json'), recording: JSON.parse(text) as Recording, bytes: text.length };
    });
}

/** The type of the workflow that a recording is of. */
export function workflowTypeOf({ history: { events } }: Recording): string {
  const started = events[0]?.['workflowExecutionStartedEventAttributes'] as { workflowType: { name: string } };
  return started.workflowType.name;
}
