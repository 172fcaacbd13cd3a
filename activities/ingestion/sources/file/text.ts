import { isUtf8 } from 'node:buffer';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { FileEncoding, FileFormat } from '#domain/ingestion/sources/file.ts';
import { limits } from '#domain/limits.ts';
import { peeked, type Bytes } from './bytes.ts';
import { FileFault } from './file-fault.ts';

/** A text file as UTF-8 without a byte order mark, checked as it passes. */
export interface Text {
  content: Bytes;
  /** Whether these are the stored bytes themselves, so that reading can begin anywhere. */
  asStored: boolean;
}

export interface TextOptions {
  format: FileFormat;
  encoding?: FileEncoding | undefined;
}

const marks: [FileEncoding, Buffer][] = [
  ['utf-8', Buffer.from([0xef, 0xbb, 0xbf])],
  ['utf-16le', Buffer.from([0xff, 0xfe])],
  ['utf-16be', Buffer.from([0xfe, 0xff])],
];

/**
 * Unpacks and decodes a text.
 * @throws FileFault when it is empty, not in its encoding, holds a NUL, is cut short, or unpacks to more than is allowed
 */
export async function textOf(stored: Bytes, { format, encoding: declared }: TextOptions): Promise<Text> {
  const { head: packed, content: raw } = await peeked(stored, 4);
  if (packed.length === 0) throw new FileFault('The file is empty.');
  if (packed.readUInt16BE(0) === 0x504b && packed.length > 3)
    throw new FileFault(`This is a ZIP archive, and not ${format}.`);
  const gzip = packed[0] === 0x1f && packed[1] === 0x8b;
  const { head, content } = await peeked(gzip ? unpacked(raw) : raw, 512);
  if (head.length === 0) throw new FileFault('The file is empty.');

  const marked = marks.find(([, mark]) => head.subarray(0, mark.length).equals(mark));
  const encoding = declared ?? marked?.[0] ?? (format === 'xml' ? xmlEncoding(head) : 'utf-8');
  if (declared !== undefined && marked !== undefined && declared !== marked[0]) {
    throw new FileFault(`The file begins with the byte order mark of ${marked[0]}, and is not ${declared}.`);
  }
  const text = encoding === 'utf-8' ? content : transcoded(content, encoding);
  return { content: checked(text), asStored: !gzip && encoding === 'utf-8' };
}

async function* unpacked(packed: Bytes): AsyncGenerator<Buffer> {
  let [bytesIn, bytesOut] = [0, 0];
  const counted = (async function* () {
    for await (const chunk of packed) {
      bytesIn += chunk.length;
      yield chunk;
    }
  })();
  const gunzip = createGunzip({ chunkSize: 1024 * 1024 });
  // Errors of either side come out where the other is read.
  pipeline(Readable.from(counted), gunzip, () => undefined);
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      bytesOut += chunk.length;
      requireModest(bytesIn, bytesOut);
      yield chunk;
    }
  } catch (error) {
    throw gzipFault(error);
  }
}

function gzipFault(error: unknown): unknown {
  const code = (error as { code?: string }).code;
  if (code === 'Z_BUF_ERROR') return new FileFault('The gzip content is cut short.', error);
  if (code?.startsWith('Z_') === true) return new FileFault('The gzip content is damaged.', error);
  return error;
}

/** @throws FileFault when a packed content grows beyond all measure */
export function requireModest(bytesIn: number, bytesOut: number): void {
  if (bytesOut > limits.unpackedBytes) {
    throw new FileFault(`The file unpacks to more than ${limits.unpackedBytes} bytes.`);
  }
  // Small contents may be as even as they like.
  if (bytesOut > limits.unpackedFreeBytes && bytesOut > bytesIn * limits.unpackedRatio) {
    throw new FileFault(`The file unpacks to more than ${limits.unpackedRatio} times its size.`);
  }
}

/** What an XML declaration says; it is ASCII in every encoding that is taken here. */
function xmlEncoding(head: Buffer): FileEncoding {
  const name = /^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']/.exec(head.toString('latin1'))?.[1];
  switch (name?.toLowerCase()) {
    case undefined:
    case 'utf-8':
    case 'utf8':
    case 'us-ascii':
    case 'ascii':
      return 'utf-8';
    case 'iso-8859-1':
    case 'latin1':
    case 'windows-1252':
      return 'windows-1252';
    default:
      throw new FileFault(`The XML is in the encoding ${name}, which is not taken here; write it as UTF-8.`);
  }
}

async function* transcoded(content: Bytes, encoding: FileEncoding): AsyncGenerator<Buffer> {
  const decoder = new TextDecoder(encoding, { fatal: true });
  let offset = 0;
  const decode = (chunk?: Buffer): Buffer => {
    try {
      return Buffer.from(decoder.decode(chunk, { stream: chunk !== undefined }));
    } catch (error) {
      throw new FileFault(`The file is not ${encoding}: it breaks near byte ${offset}.`, error);
    }
  };
  for await (const chunk of content) {
    const text = decode(chunk);
    offset += chunk.length;
    if (text.length > 0) yield text;
  }
  const rest = decode();
  if (rest.length > 0) yield rest;
}

/** Lets valid UTF-8 without NUL pass, and says of everything else where it stands. */
async function* checked(content: Bytes): AsyncGenerator<Buffer> {
  let carry: Buffer = Buffer.alloc(0);
  let [offset, line] = [0, 1];
  for await (const chunk of content) {
    const bytes = carry.length === 0 ? chunk : Buffer.concat([carry, chunk]);
    const whole = bytes.subarray(0, bytes.length - unfinished(bytes));
    carry = bytes.subarray(whole.length);
    if (!isUtf8(whole)) throw notUtf8(whole, offset, line);
    const nul = whole.indexOf(0);
    if (nul >= 0) {
      const where = place(whole, nul, offset, line);
      throw new FileFault(`The NUL character stands in ${where}; a text in UTF-16 must be declared as such.`);
    }
    yield whole;
    offset += whole.length;
    line += linesIn(whole);
  }
  if (carry.length > 0) throw notUtf8(carry, offset, line);
}

/** Bytes at the end that begin a character and do not end it. */
function unfinished(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return back < length ? back : 0;
  }
  return 0;
}

function notUtf8(bytes: Buffer, offset: number, line: number): FileFault {
  let [low, high] = [0, bytes.length];
  // The longest beginning that is valid, but for a character that is not finished.
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const part = bytes.subarray(0, middle);
    if (isUtf8(part.subarray(0, middle - unfinished(part)))) low = middle;
    else high = middle - 1;
  }
  const where = place(bytes, Math.max(0, low - unfinished(bytes.subarray(0, low))), offset, line);
  return new FileFault(
    `The file is not UTF-8: ${where} breaks it. If it is in another encoding, say so with "encoding".`,
  );
}

function place(bytes: Buffer, at: number, offset: number, line: number): string {
  return `line ${line + linesIn(bytes.subarray(0, at))}, byte ${offset + at}`;
}

function linesIn(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) lines += 1;
  return lines;
}
