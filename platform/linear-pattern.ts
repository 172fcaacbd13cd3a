import { RE2JS, RE2JSException } from 're2js';
import type { Meter } from '#domain/transformation/rules/meter.ts';
import { PatternFault, type Pattern } from '#domain/transformation/rules/pattern.ts';

/** Instructions. Larger programs would make each character of a text cost too much. */
const longestProgram = 2_000;
/** Beginning a search costs this whatever the text. */
const unitsPerSearch = 20;
/** Share of the rest of a text that searching on behind a match costs: it may look far ahead, but seldom does. */
const lookAhead = 1 / 8;

/** A pattern that RE2's algorithms match: all ways through it are followed at once, none is tried and taken back. */
export class LinearPattern implements Pattern {
  readonly matchesNothing: boolean;
  readonly #compiled: RE2JS;
  readonly #unitsPerChar: number;

  /** @throws PatternFault */
  constructor(source: string) {
    this.#compiled = compile(source);
    const size = this.#compiled.programSize();
    if (size > longestProgram) throw new PatternFault('is too large when its repetitions are written out');
    this.#unitsPerChar = (8 + size) / 32;
    // What asks only for edges of texts, lines and words holds somewhere in one of these, if anywhere.
    this.matchesNothing = ['', 'a', ' '].some((text) =>
      [...this.#compiled.matchAll(text)].some(([match]) => match === ''),
    );
  }

  test(text: string, meter: Meter): boolean {
    meter.spend(unitsPerSearch + text.length * this.#unitsPerChar);
    // Not by the library's test(): that keeps up to eight megabytes of states for each pattern.
    return this.#compiled.matcher(text).find();
  }

  replaceAll(text: string, change: (match: string) => string, meter: Meter): string {
    meter.spend(unitsPerSearch + text.length * this.#unitsPerChar);
    const matcher = this.#compiled.matcher(text);
    let result = '';
    let rest = 0;
    while (matcher.find()) {
      const [start, end] = [matcher.start(), matcher.end()];
      if (end > start) {
        result += text.slice(rest, start) + change(text.slice(start, end));
        rest = end;
      }
      meter.spend(unitsPerSearch + (text.length - end) * this.#unitsPerChar * lookAhead);
    }
    return rest === 0 ? text : result + text.slice(rest);
  }
}

function compile(source: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (error) {
    if (error instanceof RE2JSException) throw new PatternFault(error.message);
    throw error;
  }
}
