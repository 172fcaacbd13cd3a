const lastCodePoint = 0x10_ff_ff;
const asciiSize = 128;

/** A set of code points. */
export class CharSet {
  /** `[from, to]` pairs, sorted and apart. */
  readonly ranges: readonly (readonly [number, number])[];
  readonly #ascii = new Uint8Array(asciiSize);

  constructor(ranges: readonly (readonly [number, number])[]) {
    this.ranges = merged(ranges);
    for (const [from, to] of this.ranges) {
      for (let code = from; code <= Math.min(to, asciiSize - 1); code++) this.#ascii[code] = 1;
    }
  }

  static of(text: string): CharSet {
    return new CharSet(Array.from(text, (char) => [char.codePointAt(0) ?? 0, char.codePointAt(0) ?? 0]));
  }

  has(code: number): boolean {
    if (code < asciiSize) return this.#ascii[code] === 1;
    return this.ranges.some(([from, to]) => from <= code && code <= to);
  }

  hasBeyondAscii(): boolean {
    return this.ranges.some(([, to]) => to >= asciiSize);
  }

  with(other: CharSet): CharSet {
    return new CharSet([...this.ranges, ...other.ranges]);
  }

  negated(): CharSet {
    const gaps: [number, number][] = [];
    let next = 0;
    for (const [from, to] of this.ranges) {
      if (from > next) gaps.push([next, from - 1]);
      next = to + 1;
    }
    if (next <= lastCodePoint) gaps.push([next, lastCodePoint]);
    return new CharSet(gaps);
  }

  /** With each ASCII letter's other case. */
  ignoringCase(): CharSet {
    const others: [number, number][] = [];
    const shift = 'a'.charCodeAt(0) - 'A'.charCodeAt(0);
    for (const [from, to] of this.ranges) {
      for (const [first, last, by] of [
        ['A', 'Z', shift],
        ['a', 'z', -shift],
      ] as const) {
        const low = Math.max(from, first.charCodeAt(0));
        const high = Math.min(to, last.charCodeAt(0));
        if (low <= high) others.push([low + by, high + by]);
      }
    }
    return new CharSet([...this.ranges, ...others]);
  }
}

function merged(ranges: readonly (readonly [number, number])[]): [number, number][] {
  const result: [number, number][] = [];
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = result.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else result.push([from, to]);
  }
  return result;
}

export const digits = new CharSet([[0x30, 0x39]]);
export const wordChars = CharSet.of('_').with(
  new CharSet([
    [0x30, 0x39],
    [0x41, 0x5a],
    [0x61, 0x7a],
  ]),
);
/** As JavaScript's `\s`. */
export const spaces = CharSet.of('\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff').with(
  new CharSet([[0x20_00, 0x20_0a]]),
);
export const anyButNewline = CharSet.of('\n\r\u2028\u2029').negated();
