import { limits } from '#domain/limits.ts';
import type { Bytes } from './bytes.ts';
import { FileFault } from './file-fault.ts';

export interface CsvForm {
  delimiter: string;
  quote: string;
}

/** A record of a CSV text: where its cells stand, without making texts of them. */
export interface CsvRecord {
  /** Counts from 1, with the header and blank lines: as a spreadsheet would number it. */
  row: number;
  /** Where the next record begins, in bytes from the beginning of the text. */
  end: number;
  /** A line without anything on it. */
  blank: boolean;
  cells: number;
  cell(index: number): string;
}

const [lineFeed, carriageReturn] = [10, 13];

/**
 * Cuts a CSV text (RFC 4180, with any line ends) into records. It works on bytes: a cell that nobody asks for is never
 * decoded, which makes it many times faster than a parser that gives everything. A quote inside a cell that does not begin
 * with one is a character like any other.
 * @param from where the content begins within the text, and how many records stand before it
 * @throws FileFault for a cell that is not closed, and for records beyond the limits
 */
export async function* csvRecords(
  content: Bytes,
  form: CsvForm,
  from: { offset: number; row: number },
): AsyncGenerator<CsvRecord> {
  const scanner = new Scanner(form, from);
  for await (const chunk of content) {
    scanner.feed(chunk);
    while (scanner.next(false)) yield scanner;
  }
  while (scanner.next(true)) yield scanner;
}

class Scanner implements CsvRecord {
  readonly #delimiter: number;
  readonly #quote: number;
  readonly #doubled: string;
  readonly #single: string;
  #bytes: Buffer = Buffer.alloc(0);
  /** Where in `#bytes` the next record begins. */
  #at = 0;
  /** Where in the text `#bytes` begins. */
  #base: number;
  /** For each cell its first byte, the byte behind its last, and whether quotes are doubled in it. */
  #cells: number[] = [];
  row: number;
  cells = 0;
  end: number;
  blank = false;

  constructor({ delimiter, quote }: CsvForm, { offset, row }: { offset: number; row: number }) {
    this.#delimiter = delimiter.charCodeAt(0);
    this.#quote = quote.charCodeAt(0);
    this.#single = quote;
    this.#doubled = quote + quote;
    this.#base = offset;
    this.end = offset;
    this.row = row;
  }

  feed(chunk: Buffer): void {
    const rest = this.#bytes.subarray(this.#at);
    this.#base += this.#at;
    this.#at = 0;
    this.#bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    // The byte order mark is no part of the text.
    if (this.#base === 0 && this.row === 0 && this.#bytes.subarray(0, 3).equals(byteOrderMark)) this.#at = 3;
  }

  /** Finds the next record; false when the bytes at hand do not hold all of it. */
  next(atEnd: boolean): boolean {
    if (this.#at >= this.#bytes.length) return false;
    this.cells = 0;
    const end = this.#scan(this.#at, atEnd);
    if (end < 0 || end - this.#at > limits.fileRowBytes) {
      if (this.#bytes.length - this.#at > limits.fileRowBytes) {
        throw new FileFault(`Row ${this.row + 1} is longer than ${limits.fileRowBytes} bytes.`);
      }
      return false;
    }
    this.row += 1;
    this.blank = this.cells === 1 && this.#cells[0] === this.#cells[1] && this.#bytes[this.#at] !== this.#quote;
    this.#at = end;
    this.end = this.#base + end;
    return true;
  }

  cell(index: number): string {
    const [start, end, doubled] = [this.#cells[index * 3], this.#cells[index * 3 + 1], this.#cells[index * 3 + 2]];
    const text = this.#bytes.toString('utf8', start, end);
    return doubled === 1 ? text.replaceAll(this.#doubled, this.#single) : text;
  }

  /** The position behind the record that begins at `at`; -1 when more bytes are needed. */
  #scan(at: number, atEnd: boolean): number {
    const bytes = this.#bytes;
    const { length } = bytes;
    const delimiter = this.#delimiter;
    for (;;) {
      if (bytes[at] === this.#quote) {
        at = this.#scanQuoted(at, atEnd);
        if (at < 0) return -1;
      } else {
        const start = at;
        for (; at < length; at++) {
          const byte = bytes[at];
          if (byte === delimiter || byte === lineFeed || byte === carriageReturn) break;
        }
        this.#addCell(start, at, 0);
      }
      if (at >= length) return atEnd ? length : -1;
      const byte = bytes[at];
      if (byte === delimiter) {
        at += 1;
        if (at >= length && !atEnd) return -1;
        continue;
      }
      if (byte === lineFeed) return at + 1;
      // A carriage return, and perhaps a line feed with it.
      if (at + 1 >= length) return atEnd ? length : -1;
      return bytes[at + 1] === lineFeed ? at + 2 : at + 1;
    }
  }

  /** Takes a cell in quotes; answers the position behind its closing quote. */
  #scanQuoted(start: number, atEnd: boolean): number {
    const bytes = this.#bytes;
    const { length } = bytes;
    const quote = this.#quote;
    let doubled = 0;
    for (let at = bytes.indexOf(quote, start + 1); ; at = bytes.indexOf(quote, at + 2)) {
      if (at < 0) {
        if (atEnd) throw new FileFault(`The file ends in row ${this.row + 1}, inside of a cell in quotes.`);
        return -1;
      }
      if (at + 1 >= length && !atEnd) return -1;
      const behind = bytes[at + 1];
      if (behind === quote) {
        doubled = 1;
        continue;
      }
      if (behind !== this.#delimiter && behind !== lineFeed && behind !== carriageReturn && at + 1 < length) {
        throw new FileFault(`Row ${this.row + 1}, cell ${this.cells + 1}: something stands behind the closing quote.`);
      }
      this.#addCell(start + 1, at, doubled);
      return at + 1;
    }
  }

  #addCell(start: number, end: number, doubled: number): void {
    if (this.cells >= limits.fileColumns) {
      throw new FileFault(`Row ${this.row + 1} has more than ${limits.fileColumns} cells.`);
    }
    const at = this.cells * 3;
    this.#cells[at] = start;
    this.#cells[at + 1] = end;
    this.#cells[at + 2] = doubled;
    this.cells += 1;
  }
}

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);
