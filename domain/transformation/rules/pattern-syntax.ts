import { anyButNewline, CharSet, digits, spaces, wordChars } from './char-set.ts';

/** A pattern cannot be used. The message says what about it. */
export class PatternFault extends Error {
  override readonly name = 'PatternFault';
}

export type Assertion = 'start' | 'end' | 'word' | 'no-word';

export type PatternNode =
  | { kind: 'set'; set: CharSet }
  | { kind: 'assert'; at: Assertion }
  | { kind: 'sequence'; items: PatternNode[] }
  | { kind: 'choice'; items: PatternNode[] }
  | { kind: 'repeat'; item: PatternNode; min: number; max: number; lazy: boolean };

const mostRepeats = 1_000;
const deepest = 50;

const shorthands: Readonly<Record<string, CharSet>> = {
  d: digits,
  D: digits.negated(),
  w: wordChars,
  W: wordChars.negated(),
  s: spaces,
  S: spaces.negated(),
};
const controls: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f', v: '\v' };

/**
 * Reads the syntax of regular expressions as far as it can be matched in linear time: literals, `.`, classes, groups,
 * alternatives, repetition, `^`, `$`, `\b`, and `(?i)` at the beginning. Back references and looking around are refused.
 * @throws PatternFault
 */
export function parsePattern(source: string): PatternNode {
  const ignoreCase = source.startsWith('(?i)');
  const reader = new PatternReader(ignoreCase ? source.slice('(?i)'.length) : source, ignoreCase);
  return reader.read();
}

class PatternReader {
  readonly #chars: string[];
  readonly #ignoreCase: boolean;
  #at = 0;
  #depth = 0;

  constructor(source: string, ignoreCase: boolean) {
    this.#chars = Array.from(source);
    this.#ignoreCase = ignoreCase;
  }

  read(): PatternNode {
    const node = this.#choice();
    if (this.#at < this.#chars.length) throw new PatternFault('has a ) without its (');
    return node;
  }

  #choice(): PatternNode {
    if (++this.#depth > deepest) throw new PatternFault('has groups inside groups too deep');
    const items = [this.#sequence()];
    while (this.#take('|')) items.push(this.#sequence());
    this.#depth -= 1;
    return items.length === 1 && items[0] !== undefined ? items[0] : { kind: 'choice', items };
  }

  #sequence(): PatternNode {
    const items: PatternNode[] = [];
    while (this.#at < this.#chars.length && this.#next !== '|' && this.#next !== ')') items.push(this.#repeated());
    return { kind: 'sequence', items };
  }

  #repeated(): PatternNode {
    const item = this.#atom();
    const range = this.#quantifier();
    if (range === undefined) return item;
    const lazy = this.#take('?');
    if (this.#quantifier() !== undefined) throw new PatternFault('has a quantifier behind a quantifier');
    if (mayBeEmpty(item)) throw new PatternFault('repeats something that may be empty');
    return { kind: 'repeat', item, ...range, lazy };
  }

  #quantifier(): { min: number; max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.#take('+')) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.#take('?')) return { min: 0, max: 1 };
    if (this.#next !== '{') return undefined;
    const rest = this.#chars.slice(this.#at, this.#at + 12).join('');
    const found = /^\{(\d{1,4})(,(\d{0,4}))?\}/.exec(rest);
    if (found === null) throw new PatternFault('has a { that does not begin a repetition; write \\{');
    this.#at += found[0].length;
    const min = Number(found[1]);
    const max = found[2] === undefined ? min : found[3] === '' ? Number.POSITIVE_INFINITY : Number(found[3]);
    if (min > max) throw new PatternFault(`repeats ${found[0]}, which is backwards`);
    if (min > mostRepeats || (Number.isFinite(max) && max > mostRepeats)) {
      throw new PatternFault(`repeats more than ${mostRepeats} times`);
    }
    return { min, max };
  }

  #atom(): PatternNode {
    const char = this.#shift();
    switch (char) {
      case '^':
        return { kind: 'assert', at: 'start' };
      case '$':
        return { kind: 'assert', at: 'end' };
      case '.':
        return { kind: 'set', set: anyButNewline };
      case '(':
        return this.#group();
      case '[':
        return this.#set(this.#classSet());
      case '\\':
        return this.#escaped();
      case '*':
      case '+':
      case '?':
      case '{':
        throw new PatternFault(`has a ${char} with nothing before it to repeat`);
      case ']':
      case '}':
        throw new PatternFault(`has a ${char} by itself; write \\${char}`);
      default:
        return this.#set(CharSet.of(char));
    }
  }

  #group(): PatternNode {
    if (this.#take('?') && !this.#take(':')) {
      throw new PatternFault('has a (? group: only (?:…) and a leading (?i) are possible, no looking around');
    }
    const node = this.#choice();
    if (!this.#take(')')) throw new PatternFault('has a ( without its )');
    return node;
  }

  #escaped(): PatternNode {
    if (this.#next === 'b' || this.#next === 'B') {
      return { kind: 'assert', at: this.#shift() === 'b' ? 'word' : 'no-word' };
    }
    return this.#set(this.#escapedSet());
  }

  #escapedSet(): CharSet {
    const char = this.#shift();
    const shorthand = Object.hasOwn(shorthands, char) ? shorthands[char] : undefined;
    if (shorthand !== undefined) return shorthand;
    if (Object.hasOwn(controls, char)) return CharSet.of(controls[char] ?? '');
    if (char === 'x' || char === 'u') return CharSet.of(this.#hex(char === 'x' ? 2 : 4));
    if (/^[0-9]$/.test(char)) throw new PatternFault('has a back reference, which is not possible');
    if (/^[A-Za-z]$/.test(char)) throw new PatternFault(`has the unknown escape \\${char}`);
    return CharSet.of(char);
  }

  #hex(length: number): string {
    const text = this.#chars.slice(this.#at, this.#at + length).join('');
    if (text.length !== length || !/^[0-9a-fA-F]+$/.test(text)) throw new PatternFault('has an incomplete \\x or \\u');
    this.#at += length;
    return String.fromCodePoint(Number.parseInt(text, 16));
  }

  #classSet(): CharSet {
    const negated = this.#take('^');
    let set = new CharSet([]);
    let first = true;
    while (first || this.#next !== ']') {
      if (first && this.#next === ']') throw new PatternFault('has an empty class []');
      first = false;
      const low = this.#classItem();
      if (this.#next !== '-' || this.#chars[this.#at + 1] === ']') {
        set = set.with(low);
        continue;
      }
      this.#at += 1;
      const high = this.#classItem();
      set = set.with(rangeOf(low, high));
    }
    this.#at += 1;
    // As JavaScript does: the other case belongs to the class before it is turned round.
    const whole = this.#ignoreCase ? set.ignoringCase() : set;
    return negated ? whole.negated() : whole;
  }

  #classItem(): CharSet {
    const char = this.#shift();
    if (char !== '\\') return CharSet.of(char);
    return this.#escapedSet();
  }

  #set(set: CharSet): PatternNode {
    return { kind: 'set', set: this.#ignoreCase ? set.ignoringCase() : set };
  }

  get #next(): string | undefined {
    return this.#chars[this.#at];
  }

  #take(char: string): boolean {
    if (this.#next !== char) return false;
    this.#at += 1;
    return true;
  }

  #shift(): string {
    const char = this.#next;
    if (char === undefined) throw new PatternFault('ends in the middle of something');
    this.#at += 1;
    return char;
  }
}

function rangeOf(low: CharSet, high: CharSet): CharSet {
  const [from, to] = [only(low), only(high)];
  if (from === undefined || to === undefined || from > to) throw new PatternFault('has a class with a bad range');
  return new CharSet([[from, to]]);
}

function only({ ranges }: CharSet): number | undefined {
  const [range] = ranges;
  return ranges.length === 1 && range !== undefined && range[0] === range[1] ? range[0] : undefined;
}

/** Whether the node can match nothing at all. */
export function mayBeEmpty(node: PatternNode): boolean {
  switch (node.kind) {
    case 'set':
      return false;
    case 'assert':
      return true;
    case 'sequence':
      return node.items.every(mayBeEmpty);
    case 'choice':
      return node.items.some(mayBeEmpty);
    case 'repeat':
      return node.min === 0 || mayBeEmpty(node.item);
  }
}
