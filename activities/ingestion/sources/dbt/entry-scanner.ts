/** Something of a JSON document that was asked for: a member of one of its sections, or a section as a whole. */
export interface JsonEntry {
  /** Key of the document's top level. */
  section: string;
  /** Key in the section's object, or index in its list; empty when the entry is the whole section. */
  key: string;
  /** The value as it stands in the document; whether it is JSON is for `JSON.parse` to say. */
  text: string;
  /** Where reading can go on after this entry. Absent after a whole section. */
  next?: ScanPlace;
}

/** A place between two members of a section. */
export interface ScanPlace {
  /** In bytes from the beginning of the document. */
  offset: number;
  section: string;
  /** Whether the section is a list; then the index of the next item. */
  index?: number;
}

export interface ScanRequest {
  /** What is to be done with a section of the document's top level. */
  section: (name: string) => 'members' | 'whole' | 'skip';
  /** Members that are wanted; without it, all. */
  member?: (section: string, key: string) => boolean;
  /** An entry that is longer ends the scan with a {@link JsonFault}. */
  maxEntryBytes: number;
}

/** What is wrong with a document, to end a sentence that begins with its name. */
export class JsonFault extends Error {}

const sign = { tab: 9, newline: 10, return: 13, space: 32, quote: 34, comma: 44, colon: 58, open: 91, backslash: 92 };
const closeList = 93;
const openObject = 123;
const closeObject = 125;

type Expected = 'document' | 'key' | 'key-or-end' | 'colon' | 'value' | 'separator' | 'end';

/**
 * Takes a JSON document apart as its bytes come, without holding more of it than one entry: an object whose values ("sections")
 * are objects or lists of many members. Each entry says at which byte reading can go on after it, which no tokenizer at hand
 * does; and only the entries are parsed, by the engine's own parser, so that the rest costs a look at each byte.
 */
export class EntryScanner {
  readonly #request: ScanRequest;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  readonly #sections = new Set<string>();
  #offset = 0;
  #expected: Expected = 'document';
  /** The section that is being taken apart; undefined at the top level. */
  #section: { name: string; list: boolean; index: number } | undefined;
  #key = '';
  /** The value or key that is being read. */
  #text: { kind: 'key' | 'entry' | 'skipped'; parts: Uint8Array[]; bytes: number } | undefined;
  #depth = 0;
  #inString = false;
  #escaped = false;

  constructor(request: ScanRequest, from?: ScanPlace) {
    this.#request = request;
    if (from === undefined) return;
    this.#offset = from.offset;
    this.#section = { name: from.section, list: from.index !== undefined, index: from.index ?? 0 };
    this.#expected = 'separator';
  }

  /** The entries that end in this chunk. @throws JsonFault */
  *push(chunk: Uint8Array): Iterable<JsonEntry> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#text === undefined) {
        at = this.#skipSpace(chunk, at);
        if (at === chunk.length) break;
        at += this.#step(chunk[at] ?? 0, at);
        continue;
      }
      const end = this.#scanText(chunk, at);
      this.#collect(chunk.subarray(at, end.at));
      at = end.at;
      if (!end.done) break;
      const entry = this.#finish(at);
      if (entry !== undefined) yield entry;
    }
    this.#offset += chunk.length;
  }

  /** @throws JsonFault when the document has not come to its end */
  end(): void {
    if (this.#expected === 'document') throw new JsonFault('is empty');
    if (this.#expected !== 'end') throw new JsonFault(`ends in the middle, after ${this.#offset} bytes`);
  }

  #skipSpace(chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length && isSpace(chunk[at])) at += 1;
    return at;
  }

  /** Takes one byte between keys and values; answers how many bytes that used up. */
  #step(byte: number, at: number): 0 | 1 {
    switch (this.#expected) {
      case 'document':
        if (byte !== openObject) throw this.#unexpected(at);
        this.#expected = 'key-or-end';
        return 1;
      case 'key-or-end':
      case 'key':
        if (byte === closer(this.#section) && this.#expected === 'key-or-end') return this.#close();
        return this.#beginKey(byte, at);
      case 'colon':
        if (byte !== sign.colon) throw this.#unexpected(at);
        this.#expected = 'value';
        return 1;
      case 'value':
        return this.#beginValue(byte, at);
      case 'separator':
        if (byte === closer(this.#section)) return this.#close();
        if (byte !== sign.comma) throw this.#unexpected(at);
        this.#expected = 'key';
        return 1;
      case 'end':
        throw new JsonFault(`goes on after its end, at byte ${this.#offset + at}`);
    }
  }

  #beginKey(byte: number, at: number): 0 | 1 {
    if (this.#section?.list === true) {
      this.#key = String(this.#section.index);
      this.#section.index += 1;
      this.#expected = 'value';
      return 0;
    }
    if (byte !== sign.quote) throw this.#unexpected(at);
    this.#begin('key');
    return 0;
  }

  #beginValue(byte: number, at: number): 0 | 1 {
    if ([sign.comma, sign.colon, closeList, closeObject].includes(byte)) throw this.#unexpected(at);
    if (this.#section === undefined) {
      if (this.#sections.has(this.#key)) throw new JsonFault(`has two sections "${this.#key.slice(0, 100)}"`);
      if (this.#sections.size < 1_000) this.#sections.add(this.#key);
      const wanted = this.#request.section(this.#key);
      if (wanted === 'members' && (byte === openObject || byte === sign.open)) {
        this.#section = { name: this.#key, list: byte === sign.open, index: 0 };
        this.#expected = 'key-or-end';
        return 1;
      }
      this.#begin(wanted === 'skip' ? 'skipped' : 'entry');
      return 0;
    }
    const wanted = this.#request.member?.(this.#section.name, this.#key) ?? true;
    this.#begin(wanted ? 'entry' : 'skipped');
    return 0;
  }

  #begin(kind: 'key' | 'entry' | 'skipped'): void {
    this.#text = { kind, parts: [], bytes: 0 };
    this.#depth = 0;
    this.#inString = false;
    this.#escaped = false;
  }

  /** Where the value that is being read ends, or the chunk does. */
  #scanText(chunk: Uint8Array, from: number): { at: number; done: boolean } {
    let [depth, inString, escaped] = [this.#depth, this.#inString, this.#escaped];
    let done = false;
    let at = from;
    for (; at < chunk.length && !done; at += 1) {
      const byte = chunk[at];
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === sign.backslash) escaped = true;
        else if (byte === sign.quote) {
          inString = false;
          done = depth === 0;
        }
      } else if (byte === sign.quote) {
        inString = true;
      } else if (byte === openObject || byte === sign.open) {
        depth += 1;
      } else if (depth > 0) {
        if (byte === closeObject || byte === closeList) {
          depth -= 1;
          done = depth === 0;
        }
      } else if (byte === sign.comma || byte === closeObject || byte === closeList || isSpace(byte)) {
        // A number or a word ends before what follows it.
        return { at, done: true };
      }
    }
    [this.#depth, this.#inString, this.#escaped] = [depth, inString, escaped];
    return { at, done };
  }

  #collect(bytes: Uint8Array): void {
    const text = this.#text;
    if (text === undefined || text.kind === 'skipped') return;
    text.bytes += bytes.length;
    if (text.bytes > this.#request.maxEntryBytes) {
      const what = text.kind === 'key' ? 'a key' : `"${this.#key.slice(0, 200)}"`;
      throw new JsonFault(
        `has ${what} of more than ${this.#request.maxEntryBytes} bytes, which is the most that is read`,
      );
    }
    text.parts.push(bytes);
  }

  #finish(at: number): JsonEntry | undefined {
    const { kind, parts } = this.#text ?? { kind: 'skipped', parts: [] };
    this.#text = undefined;
    if (kind === 'key') {
      this.#key = this.#keyOf(this.#decode(parts));
      this.#expected = 'colon';
      return undefined;
    }
    this.#expected = 'separator';
    if (kind === 'skipped') return undefined;
    const text = this.#decode(parts);
    const section = this.#section;
    if (section === undefined) return { section: this.#key, key: '', text };
    const place = { offset: this.#offset + at, section: section.name };
    return {
      section: section.name,
      key: this.#key,
      text,
      next: section.list ? { ...place, index: section.index } : place,
    };
  }

  #decode(parts: Uint8Array[]): string {
    try {
      return this.#decoder.decode(parts.length === 1 ? parts[0] : Buffer.concat(parts));
    } catch {
      throw new JsonFault(`is not UTF-8 text, before byte ${this.#offset}`);
    }
  }

  #keyOf(text: string): string {
    try {
      return JSON.parse(text) as string;
    } catch {
      throw new JsonFault(`is not JSON: it has a key that is no text, ${text.slice(0, 100)}`);
    }
  }

  /** The end of a section, or of the document. */
  #close(): 1 {
    this.#expected = this.#section === undefined ? 'end' : 'separator';
    this.#section = undefined;
    return 1;
  }

  #unexpected(at: number): JsonFault {
    const where = `byte ${this.#offset + at}`;
    if (this.#expected === 'document') return new JsonFault('is not JSON: it does not begin with {');
    return new JsonFault(`is not JSON: something is wrong at ${where}`);
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === sign.space || byte === sign.newline || byte === sign.return || byte === sign.tab;
}

function closer(section: { list: boolean } | undefined): number {
  return section?.list === true ? closeList : closeObject;
}
