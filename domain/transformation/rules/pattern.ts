import type { Meter } from './meter.ts';

/** A pattern cannot be used. The message says what about it. */
export class PatternFault extends Error {
  override readonly name = 'PatternFault';
}

/**
 * A regular expression that a tenant wrote: it takes time in proportion to the text, whatever it says. The leftmost match
 * counts, earlier alternatives first. What it costs depends on pattern and text alone.
 */
export interface Pattern {
  /** Whether it fits a place without a character. */
  readonly matchesNothing: boolean;
  /** @throws CostExceeded */
  test(text: string, meter: Meter): boolean;
  /** Puts what `change` makes of it in place of every match. Matches of nothing are passed over. @throws CostExceeded */
  replaceAll(text: string, change: (match: string) => string, meter: Meter): string;
}

/** @throws PatternFault */
export type PatternCompiler = (source: string) => Pattern;

/** The pattern for a whole text in which `*` stands for anything and `?` for one character. */
export function globSource(glob: string): string {
  const body = glob
    .replaceAll(/[\\^$.+()[\]{}|]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return `(?s)^${body}$`;
}
