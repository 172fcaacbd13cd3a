import { limits } from '#domain/limits.ts';
import type { Bytes } from './bytes.ts';
import { FileFault } from './file-fault.ts';
import { rowOfJson, type FileRow } from './row.ts';

/**
 * Cuts a JSON document into its rows: the items of the list at the top, or where the pointer says. Each item is a piece of
 * text of bounded size that `JSON.parse` reads, so neither the document's size nor its depth costs memory. What stands
 * beside the list is passed over; of it only brackets and quotes are checked.
 * @param pointer JSON pointer to the list, for example `/data/items`; empty for a list at the top
 * @throws FileFault when the document is cut short or is no JSON, or the list is not there
 */
export async function* jsonRows(content: Bytes, pointer = ''): AsyncGenerator<FileRow> {
  const cutter = new JsonCutter(pointer);
  for await (const chunk of content) yield* cutter.feed(chunk);
  cutter.end();
}

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/** What may come next: `value`, `item` (a value or the end of the list), `key`, `colon`, `comma`, or nothing more. */
type Expectation = 'value' | 'first item' | 'item' | 'first key' | 'key' | 'colon' | 'comma' | 'nothing';

class JsonCutter {
  /** Keys on the way to the list. */
  readonly #steps: string[];
  /** How many of them have been taken. */
  #taken = 0;
  #found = false;
  #expected: Expectation = 'value';
  /** The brackets that are open on the way to the list, and of the list itself. */
  readonly #open: number[] = [];
  /** Whether the value that comes next is on the way. */
  #leads = true;
  #row = 0;
  #offset = 0;
  // What is being cut out: an item, a key, or a value that is passed over.
  #cutting: 'item' | 'key' | 'other' | undefined;
  #pieces: Buffer[] = [];
  #length = 0;
  #depth = 0;
  #inText = false;
  #escaped = false;
  #scalar = false;

  constructor(pointer: string) {
    if (pointer !== '' && !pointer.startsWith('/')) {
      throw new FileFault('"records" must be a JSON pointer, for example /data/items.');
    }
    this.#steps = pointer
      .split('/')
      .slice(1)
      .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  }

  *feed(chunk: Buffer): Generator<FileRow> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#cutting !== undefined) {
        const end = this.#cut(chunk, at);
        if (end < 0) break;
        at = end;
        const row = this.#closeCut();
        if (row !== undefined) yield row;
        continue;
      }
      const byte = chunk[at] ?? 0;
      if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) at += 1;
      else if (byte === 0xef && this.#offset === 0 && at === 0) at += 3;
      else at += this.#step(byte, at);
    }
    this.#offset += chunk.length;
  }

  end(): void {
    if (this.#cutting !== undefined || this.#expected !== 'nothing') {
      throw new FileFault(
        this.#row === 0 ? 'The JSON is cut short.' : `The JSON is cut short behind row ${this.#row}.`,
      );
    }
    if (!this.#found) throw this.#notFound();
  }

  /** Takes one byte that is no part of anything that is cut out; answers how many bytes it took: 0 where a cut begins. */
  #step(byte: number, at: number): number {
    const list = this.#open.at(-1) === openList;
    switch (this.#expected) {
      case 'nothing':
        throw this.#unexpected(byte, at, 'nothing more');
      case 'colon':
        if (byte !== colon) throw this.#unexpected(byte, at, 'a colon');
        this.#expected = 'value';
        return 1;
      case 'comma':
        if (byte === (list ? closeList : closeObject)) return this.#close();
        if (byte !== comma) throw this.#unexpected(byte, at, 'a comma');
        this.#expected = list ? 'item' : 'key';
        return 1;
      case 'first key':
      case 'key':
        if (byte === closeObject && this.#expected === 'first key') return this.#close();
        if (byte !== quote) throw this.#unexpected(byte, at, 'a key');
        return this.#begin('key');
      case 'first item':
      case 'item':
        if (byte === closeList && this.#expected === 'first item') return this.#close();
        return this.#begin('item', byte, at);
      case 'value':
        return this.#value(byte, at);
    }
  }

  /** A value on the way to the list: it leads there, or it is passed over. */
  #value(byte: number, at: number): number {
    const leads = this.#leads;
    this.#leads = false;
    const last = this.#taken === this.#steps.length;
    if (leads && last && byte === openList) {
      this.#found = true;
      this.#open.push(byte);
      this.#expected = 'first item';
      return 1;
    }
    if (leads && !last && byte === openObject) {
      this.#open.push(byte);
      this.#expected = 'first key';
      return 1;
    }
    if (leads) throw this.#notFound();
    return this.#begin('other', byte, at);
  }

  #close(): number {
    this.#open.pop();
    this.#expected = this.#open.length === 0 ? 'nothing' : 'comma';
    return 1;
  }

  #begin(what: 'item' | 'key' | 'other', byte = quote, at = 0): number {
    if (byte === comma || byte === colon || byte === closeList || byte === closeObject) {
      throw this.#unexpected(byte, at, 'a value');
    }
    this.#cutting = what;
    this.#pieces = [];
    this.#length = 0;
    this.#depth = 0;
    this.#inText = false;
    this.#escaped = false;
    this.#scalar = byte !== quote && byte !== openList && byte !== openObject;
    return 0;
  }

  /** Goes on with what is being cut out; answers the position behind it, or -1 when the chunk does not hold its end. */
  #cut(chunk: Buffer, start: number): number {
    let at = start;
    let done = false;
    for (; at < chunk.length && !done; at++) {
      const byte = chunk[at];
      if (this.#inText) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === backslash) this.#escaped = true;
        else if (byte === quote) {
          this.#inText = false;
          done = this.#depth === 0;
        }
      } else if (byte === quote) this.#inText = true;
      else if (byte === openList || byte === openObject) this.#depth += 1;
      else if (byte === closeList || byte === closeObject) {
        if (this.#scalar && this.#depth === 0) break;
        this.#depth -= 1;
        done = this.#depth === 0;
      } else if (this.#scalar && (byte === comma || byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09)) {
        break;
      }
    }
    this.#length += at - start;
    if (this.#cutting !== 'other') {
      const longest = this.#cutting === 'key' ? 4_096 : limits.fileRowBytes;
      if (this.#length > longest) {
        const what = this.#cutting === 'key' ? 'A key' : `Row ${this.#row + 1}`;
        throw new FileFault(`${what} is longer than ${longest} bytes.`);
      }
      this.#pieces.push(chunk.subarray(start, at));
    }
    return done || at < chunk.length ? at : -1;
  }

  #closeCut(): FileRow | undefined {
    const cut = this.#cutting;
    const text = Buffer.concat(this.#pieces).toString('utf8');
    this.#cutting = undefined;
    this.#pieces = [];
    this.#expected = 'comma';
    if (cut === 'item') {
      this.#row += 1;
      return rowOfJson(this.#row, text);
    }
    if (cut === 'key') this.#takeKey(text);
    return undefined;
  }

  #takeKey(text: string): void {
    let key: unknown;
    try {
      key = JSON.parse(text);
    } catch (cause) {
      throw new FileFault(`The key ${text.slice(0, 40)} is no JSON text.`, cause);
    }
    this.#expected = 'colon';
    // One step deeper, if this is the key of that step, and the steps before it are open.
    this.#leads = !this.#found && this.#open.length === this.#taken + 1 && key === this.#steps[this.#taken];
    if (this.#leads) this.#taken += 1;
  }

  #notFound(): FileFault {
    if (this.#steps.length > 0) return new FileFault(`There is no list at ${'/' + this.#steps.join('/')} in the JSON.`);
    return new FileFault('The JSON is no list; say with "records" where the list of rows stands, for example /items.');
  }

  #unexpected(byte: number, at: number, expected: string): FileFault {
    const found = byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `the byte ${byte}`;
    return new FileFault(`This is no JSON: ${found} at byte ${this.#offset + at}, where ${expected} should stand.`);
  }
}
