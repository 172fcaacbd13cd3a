import type { CharSet } from './char-set.ts';
import { wordChars } from './char-set.ts';
import type { Meter } from './meter.ts';
import { mayBeEmpty, parsePattern, PatternFault, type Assertion, type PatternNode } from './pattern-syntax.ts';

type Instruction =
  | { op: 'set'; set: CharSet }
  | { op: 'assert'; at: Assertion }
  | { op: 'split'; first: number; second: number }
  | { op: 'jump'; to: number }
  | { op: 'match' };

export interface Match {
  start: number;
  end: number;
}

/** Longer programs would make each character of a text cost too much. */
const longestProgram = 2_000;
/** Steps of the machine that cost one unit. */
const stepsPerUnit = 4;

/**
 * A regular expression that is matched in linear time whatever it says: all ways through it are followed at once (Pike's
 * machine), none is tried and taken back. Tenants write these, so one that takes exponential time must not exist. It finds
 * what JavaScript's own expressions find: the leftmost match, earlier alternatives first.
 */
export class Pattern {
  readonly matchesNothing: boolean;
  readonly #program: Instruction[] = [];
  /** ASCII characters that a match may begin with. */
  readonly #first = new Uint8Array(128);
  #firstBeyondAscii = false;
  readonly #seen: Int32Array;
  #generation = 0;

  /** @throws PatternFault */
  constructor(source: string) {
    const node = parsePattern(source);
    this.matchesNothing = mayBeEmpty(node);
    this.#emit(node);
    this.#push({ op: 'match' });
    this.#seen = new Int32Array(this.#program.length);
    this.#noteFirst();
  }

  test(text: string, meter: Meter): boolean {
    return this.find(text, 0, meter) !== undefined;
  }

  /** The leftmost match that begins at `from` or behind it. @throws CostExceeded */
  find(text: string, from: number, meter: Meter): Match | undefined {
    let threads: Thread[] = [];
    let found: Match | undefined;
    let steps = 0;
    for (let at = from; ;) {
      if (threads.length === 0) {
        if (found !== undefined) break;
        const candidate = this.#candidate(text, at);
        steps += (candidate - at) >> 4;
        at = candidate;
      }
      this.#generation += 1;
      for (const { pc } of threads) this.#seen[pc] = this.#generation;
      if (found === undefined) this.#follow(threads, 0, at, at, text);
      const code = text.codePointAt(at);
      const width = code !== undefined && code > 0xff_ff ? 2 : 1;
      const next: Thread[] = [];
      this.#generation += 1;
      for (const { pc, start } of threads) {
        const instruction = this.#program[pc];
        if (instruction?.op === 'match') {
          found = { start, end: at };
          break;
        }
        if (code !== undefined && instruction?.op === 'set' && instruction.set.has(code)) {
          this.#follow(next, pc + 1, start, at + width, text);
        }
      }
      steps += 1 + threads.length + next.length;
      if (steps > 4_096) {
        meter.spend(steps / stepsPerUnit);
        steps = 0;
      }
      threads = next;
      if (code === undefined) break;
      at += width;
    }
    meter.spend(steps / stepsPerUnit);
    return found;
  }

  /** Puts what `change` makes of it in place of every match. Matches of nothing are passed over. */
  replaceAll(text: string, change: (match: string) => string, meter: Meter): string {
    let result = '';
    let rest = 0;
    for (let from = 0; from <= text.length;) {
      const match = this.find(text, from, meter);
      if (match === undefined) break;
      if (match.end > match.start) {
        result += text.slice(rest, match.start) + change(text.slice(match.start, match.end));
        rest = match.end;
      }
      from = match.end > match.start ? match.end : match.end + 1;
    }
    return rest === 0 ? text : result + text.slice(rest);
  }

  /** The next place where a match may begin; the text's end when there is none. */
  #candidate(text: string, from: number): number {
    if (this.matchesNothing) return from;
    for (let at = from; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code < 128 ? this.#first[code] === 1 : this.#firstBeyondAscii) return at;
    }
    return text.length;
  }

  /** Adds the threads that stand at `pc` once everything that consumes nothing has been passed. */
  #follow(threads: Thread[], pc: number, start: number, at: number, text: string): void {
    if (this.#seen[pc] === this.#generation) return;
    this.#seen[pc] = this.#generation;
    const instruction = this.#program[pc];
    switch (instruction?.op) {
      case 'jump':
        this.#follow(threads, instruction.to, start, at, text);
        break;
      case 'split':
        this.#follow(threads, instruction.first, start, at, text);
        this.#follow(threads, instruction.second, start, at, text);
        break;
      case 'assert':
        if (holds(instruction.at, text, at)) this.#follow(threads, pc + 1, start, at, text);
        break;
      case 'set':
      case 'match':
        threads.push({ pc, start });
        break;
      case undefined:
    }
  }

  #push(instruction: Instruction): number {
    if (this.#program.length >= longestProgram)
      throw new PatternFault('is too large when its repetitions are written out');
    return this.#program.push(instruction) - 1;
  }

  #emit(node: PatternNode): void {
    switch (node.kind) {
      case 'set':
        this.#push({ op: 'set', set: node.set });
        break;
      case 'assert':
        this.#push({ op: 'assert', at: node.at });
        break;
      case 'sequence':
        for (const item of node.items) this.#emit(item);
        break;
      case 'choice':
        this.#emitChoice(node.items);
        break;
      case 'repeat':
        this.#emitRepeat(node);
        break;
    }
  }

  #emitChoice(items: PatternNode[]): void {
    const ends: number[] = [];
    for (const [index, item] of items.entries()) {
      if (index === items.length - 1) {
        this.#emit(item);
        break;
      }
      const split = this.#push({ op: 'split', first: 0, second: 0 });
      this.#emit(item);
      ends.push(this.#push({ op: 'jump', to: 0 }));
      this.#program[split] = { op: 'split', first: split + 1, second: this.#program.length };
    }
    for (const end of ends) this.#program[end] = { op: 'jump', to: this.#program.length };
  }

  #emitRepeat({ item, min, max, lazy }: Extract<PatternNode, { kind: 'repeat' }>): void {
    for (let count = 0; count < min; count++) this.#emit(item);
    const split = (at: number, into: number, past: number): void => {
      this.#program[at] = lazy
        ? { op: 'split', first: past, second: into }
        : { op: 'split', first: into, second: past };
    };
    if (max === Number.POSITIVE_INFINITY) {
      const at = this.#push({ op: 'split', first: 0, second: 0 });
      this.#emit(item);
      this.#push({ op: 'jump', to: at });
      split(at, at + 1, this.#program.length);
      return;
    }
    const splits: number[] = [];
    for (let count = min; count < max; count++) {
      splits.push(this.#push({ op: 'split', first: 0, second: 0 }));
      this.#emit(item);
    }
    for (const at of splits) split(at, at + 1, this.#program.length);
  }

  #noteFirst(): void {
    const seen = new Set<number>();
    const visit = (pc: number): void => {
      if (seen.has(pc)) return;
      seen.add(pc);
      const instruction = this.#program[pc];
      if (instruction?.op === 'jump') visit(instruction.to);
      else if (instruction?.op === 'assert') visit(pc + 1);
      else if (instruction?.op === 'split') {
        visit(instruction.first);
        visit(instruction.second);
      } else if (instruction?.op === 'set') {
        for (let code = 0; code < 128; code++) if (instruction.set.has(code)) this.#first[code] = 1;
        this.#firstBeyondAscii ||= instruction.set.hasBeyondAscii();
      }
    };
    visit(0);
  }
}

/** One way through the program: where it stands, and where its match began. */
interface Thread {
  pc: number;
  start: number;
}

function holds(assertion: Assertion, text: string, at: number): boolean {
  switch (assertion) {
    case 'start':
      return at === 0;
    case 'end':
      return at === text.length;
    case 'word':
      return isWord(text, at - 1) !== isWord(text, at);
    case 'no-word':
      return isWord(text, at - 1) === isWord(text, at);
  }
}

function isWord(text: string, at: number): boolean {
  return at >= 0 && at < text.length && wordChars.has(text.charCodeAt(at));
}

/** A pattern for a whole text in which `*` stands for anything and `?` for one character. */
export function globPattern(glob: string): Pattern {
  const body = Array.from(glob, (char) => {
    if (char === '*') return '[\\s\\S]*';
    if (char === '?') return '[\\s\\S]';
    return /[A-Za-z0-9_\s]/.test(char) ? char : `\\${char}`;
  });
  return new Pattern(`^${body.join('')}$`);
}
