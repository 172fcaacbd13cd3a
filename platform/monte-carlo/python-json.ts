/**
 * JSON as Python's `json.loads` reads it, without losing what JavaScript's numbers and objects would: whole numbers of any
 * size, `49.0` apart from `49`, and keys in their order.
 */

/** A value as Python has it. Whole numbers are `bigint`, floats are `number`; a `Map` keeps Python's order of keys. */
export type PyValue = null | boolean | bigint | number | string | PyValue[] | Map<string, PyValue>;

/** The text is not JSON to Python, or more than we are willing to read. */
export class NotPythonJson extends Error {}

/** Levels of nesting. Python itself gives up at about a thousand. */
const mostDepth = 200;
/** Digits of a whole number: beyond them Python refuses to convert (`sys.set_int_max_str_digits`). */
const mostDigits = 4_300;

const space = /[ \t\n\r]*/y;
const number = /(-?(?:0|[1-9]\d*))(\.\d+)?([eE][-+]?\d+)?/y;
/** What stands between two escapes of a string. Control characters end it, as in Python's strict mode. */
const plain = /[^"\\\u0000-\u001f]*/y;
const hexDigits = /[0-9a-fA-F]{4}/y;
const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};
const words: readonly (readonly [string, PyValue])[] = [
  ['null', null],
  ['true', true],
  ['false', false],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
];

/** @throws NotPythonJson */
export function parsePythonJson(text: string): PyValue {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): PyValue {
    if (depth > mostDepth) throw new NotPythonJson(`nested deeper than ${mostDepth} levels`);
    this.#match(space);
    const char = this.#text[this.#at];
    if (char === '"') return this.#string();
    if (char === '{') return this.#object(depth);
    if (char === '[') return this.#array(depth);
    const word = words.find(([name]) => this.#text.startsWith(name, this.#at));
    if (word !== undefined) {
      this.#at += word[0].length;
      return word[1];
    }
    return this.#number();
  }

  end(): void {
    this.#match(space);
    if (this.#at < this.#text.length) this.#fail();
  }

  #object(depth: number): Map<string, PyValue> {
    const found = new Map<string, PyValue>();
    this.#at += 1;
    if (this.#next('}')) return found;
    do {
      this.#match(space);
      if (this.#text[this.#at] !== '"') this.#fail();
      const key = this.#string();
      if (!this.#next(':')) this.#fail();
      // A key that comes again changes its value and keeps its place, in a dict as in a Map.
      found.set(key, this.value(depth + 1));
    } while (this.#next(','));
    if (!this.#next('}')) this.#fail();
    return found;
  }

  #array(depth: number): PyValue[] {
    const found: PyValue[] = [];
    this.#at += 1;
    if (this.#next(']')) return found;
    do found.push(this.value(depth + 1));
    while (this.#next(','));
    if (!this.#next(']')) this.#fail();
    return found;
  }

  #string(): string {
    this.#at += 1;
    let found = this.#match(plain);
    while (this.#text[this.#at] === '\\') {
      found += this.#escape();
      found += this.#match(plain);
    }
    if (this.#text[this.#at] !== '"') this.#fail();
    this.#at += 1;
    return found;
  }

  #escape(): string {
    const kind = this.#text[this.#at + 1] ?? '';
    this.#at += 2;
    if (kind !== 'u') return escapes[kind] ?? this.#fail();
    const digits = this.#match(hexDigits);
    if (digits === '') this.#fail();
    return String.fromCharCode(Number.parseInt(digits, 16));
  }

  #number(): bigint | number {
    number.lastIndex = this.#at;
    const [all, whole = '', fraction, exponent] = number.exec(this.#text) ?? this.#fail();
    this.#at += all.length;
    if (fraction !== undefined || exponent !== undefined) return Number(all);
    if (whole.length - (whole.startsWith('-') ? 1 : 0) > mostDigits) this.#fail();
    return BigInt(whole);
  }

  /** Whether this comes next, spaces aside; then it is read. */
  #next(char: string): boolean {
    this.#match(space);
    if (this.#text[this.#at] !== char) return false;
    this.#at += 1;
    return true;
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }

  #fail(): never {
    throw new NotPythonJson(`not JSON at position ${this.#at}`);
  }
}
