import { limits } from '#domain/limits.ts';
import type { Bytes } from './bytes.ts';
import { FileFault } from './file-fault.ts';

export interface Line {
  /** Counts from 1. */
  row: number;
  /** Where the next line begins, in bytes from the beginning of the text. */
  end: number;
  text: () => string;
  blank: boolean;
}

const lineFeed = 10;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * Cuts a text into lines, without their ends.
 * @throws FileFault for a line beyond `maxBytes`
 */
export async function* linesOf(
  content: Bytes,
  from: { offset: number; row: number },
  maxBytes: number = limits.fileRowBytes,
): AsyncGenerator<Line> {
  let { offset, row } = from;
  let rest: Buffer = Buffer.alloc(0);
  const lineOf = (bytes: Buffer, ended: number): Line => {
    row += 1;
    offset += bytes.length + ended;
    const marked = row === 1 && bytes.subarray(0, 3).equals(byteOrderMark);
    const line = marked ? bytes.subarray(3) : bytes;
    return { row, end: offset, text: () => line.toString('utf8'), blank: isBlank(line) };
  };
  const requireShort = (bytes: number): void => {
    if (bytes > maxBytes) throw new FileFault(`Line ${row + 1} is longer than ${maxBytes} bytes.`);
  };
  for await (const chunk of content) {
    let start = 0;
    for (let at = chunk.indexOf(lineFeed); at >= 0; at = chunk.indexOf(lineFeed, start)) {
      const line = chunk.subarray(start, at);
      requireShort(rest.length + line.length);
      start = at + 1;
      yield lineOf(rest.length === 0 ? line : Buffer.concat([rest, line]), 1);
      rest = Buffer.alloc(0);
    }
    if (start < chunk.length) {
      requireShort(rest.length + chunk.length - start);
      rest = rest.length === 0 ? chunk.subarray(start) : Buffer.concat([rest, chunk.subarray(start)]);
    }
  }
  if (rest.length > 0) yield lineOf(rest, 0);
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 32 || byte === 9 || byte === 13);
}
