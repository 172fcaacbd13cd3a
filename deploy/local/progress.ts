import pc from 'picocolors';

/** What one task of bringing a stack up is doing. Later events of the same task replace earlier ones. */
export interface ProgressEvent {
  readonly task: string;
  readonly text: string;
  readonly state: 'running' | 'done' | 'failed' | 'notice';
}

export type OnProgress = (event: ProgressEvent) => void;

/** Reports on one task. */
export interface TaskProgress {
  running(text: string): void;
  done(text: string): void;
  notice(text: string): void;
}

export function taskProgress(task: string, onProgress: OnProgress): TaskProgress {
  return {
    running: (text) => onProgress({ task, text, state: 'running' }),
    done: (text) => onProgress({ task, text, state: 'done' }),
    notice: (text) => onProgress({ task, text, state: 'notice' }),
  };
}

const PLAIN_INTERVAL_MS = 10_000;
const NAME_WIDTH = 15;

/** Shows progress: live lines on a terminal, otherwise plain lines that are not repeated more often than is useful. */
export interface ProgressView {
  readonly onProgress: OnProgress;
  /** Leaves the last state on the screen. */
  close(): void;
}

export function openProgressView(out: NodeJS.WriteStream = process.stderr): ProgressView {
  return out.isTTY ? openLiveView(out) : openPlainView(out);
}

function openPlainView(out: NodeJS.WriteStream): ProgressView {
  const shown = new Map<string, { text: string; at: number }>();
  return {
    onProgress({ task, text, state }) {
      const last = shown.get(task);
      const phase = phaseOf(text);
      const repeated = last !== undefined && phaseOf(last.text) === phase;
      if (state === 'running' && repeated && Date.now() - last.at < PLAIN_INTERVAL_MS) return;
      if (last?.text === text && state === 'running') return;
      shown.set(task, { text, at: Date.now() });
      out.write(`${task.padEnd(NAME_WIDTH)} ${text}\n`);
    },
    close() {},
  };
}

/** Texts that differ only in their numbers belong to the same phase. */
function phaseOf(text: string): string {
  return text.replaceAll(/[\d.,]+/g, '#');
}

const MARKS = { running: pc.cyan('…'), done: pc.green('✓'), failed: pc.red('✗'), notice: pc.yellow('!') } as const;
const REDRAW_MS = 100;

function openLiveView(out: NodeJS.WriteStream): ProgressView {
  const tasks = new Map<string, ProgressEvent>();
  let drawnLines = 0;
  let timer: NodeJS.Timeout | undefined;
  const draw = (): void => {
    timer = undefined;
    const width = Math.max(40, out.columns);
    const lines = [...tasks.values()].map(({ task, text, state }) => {
      const room = width - NAME_WIDTH - 4;
      const clipped = text.length > room ? `${text.slice(0, room - 1)}…` : text;
      return `${MARKS[state]} ${pc.bold(task.padEnd(NAME_WIDTH))} ${clipped}`;
    });
    const up = drawnLines > 0 ? `\u001b[${drawnLines}A` : '';
    out.write(`${up}${lines.map((line) => `\u001b[2K${line}\n`).join('')}`);
    drawnLines = lines.length;
  };
  return {
    onProgress(event) {
      tasks.set(event.task, event);
      timer ??= setTimeout(draw, REDRAW_MS);
    },
    close() {
      clearTimeout(timer);
      draw();
    },
  };
}

/** Formats a count of bytes in megabytes. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(bytes < 10_000_000 ? 1 : 0)} MB`;
}
