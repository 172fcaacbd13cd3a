import { finished, type Readable } from 'node:stream';
import { Busboy, type BusboyInstance } from '@fastify/busboy';
import type { Request } from 'express';
import { LilyError } from '#domain/errors.ts';
import { InvalidInput } from './invalid-input.ts';

export interface FilePart {
  field: string;
  /** The last step of the name that the sender gave; never a path. */
  name: string;
  contentType: string;
}

export interface MultipartPlan<File> {
  /** Names of the fields that may be sent beside the file, each at most once. */
  fields: readonly string[];
  /** Bytes of one field. */
  maxFieldBytes: number;
  /** Takes the file as it comes. Called at most once; must read the content to its end, or fail. */
  onFile: (content: Readable, part: FilePart) => Promise<File>;
}

export interface MultipartBody<File> {
  fields: Record<string, string>;
  file: File | undefined;
}

const multipartType = /^multipart\/form-data\s*(?:;|$)/i;

export function isMultipart(request: Request): boolean {
  return multipartType.test(request.headers['content-type'] ?? '');
}

/**
 * Reads a multipart body: some fields and at most one file, in any order. Nothing is held in memory but the fields.
 * When it fails, or the sender goes away, the file's content fails too, so that whoever takes it keeps nothing;
 * a file that had been taken already is given to `onFailure`.
 * @throws InvalidInput saying which part is wrong
 */
export async function readMultipart<File>(
  request: Request,
  { fields: known, maxFieldBytes, onFile }: MultipartPlan<File>,
  onFailure: (file: File) => Promise<unknown>,
): Promise<MultipartBody<File>> {
  const fields: Record<string, string> = {};
  let taking: Promise<File> | undefined;
  let fileContent: Readable | undefined;
  const parser = parserOf(request, { known, maxFieldBytes });

  const read = new Promise<void>((resolve, reject) => {
    const refuse = (field: string, detail: string): void =>
      reject(new InvalidInput(`The part ${JSON.stringify(field.slice(0, 64))} ${detail}`, [{ field, detail }]));
    parser.on('field', (name, value, nameCut, valueCut) => {
      if (nameCut || !known.includes(name)) refuse(name, `is not known; there may be a file and: ${known.join(', ')}`);
      else if (valueCut) refuse(name, `may have at most ${maxFieldBytes} bytes`);
      else if (Object.hasOwn(fields, name)) refuse(name, 'is given more than once');
      else fields[name] = value;
    });
    parser.on('file', (field, content, name, _encoding, contentType) => {
      fileContent = content;
      taking = onFile(content, { field, name: lastStep(name), contentType });
      taking.catch(reject);
    });
    parser.on('filesLimit', () => refuse('file', 'is given more than once'));
    parser.on('partsLimit', () => refuse('', 'is one too many'));
    parser.on('fieldsLimit', () => refuse('', 'is one too many'));
    parser.on('error', (error) => reject(new InvalidInput(`The multipart body cannot be read: ${messageOf(error)}`)));
    parser.on('finish', resolve);
    finished(request, { writable: false }, (error) => {
      if (error) reject(new InvalidInput('The body ended before it was whole'));
    });
    request.pipe(parser);
  });

  try {
    await read;
    return { fields, file: await taking };
  } catch (error) {
    request.unpipe(parser);
    fileContent?.destroy(error instanceof Error ? error : undefined);
    parser.destroy();
    // What is still on its way is read and dropped: a client that is still sending would not see the answer otherwise.
    request.resume();
    const taken = await taking?.catch(() => undefined);
    if (taken !== undefined) await onFailure(taken);
    throw error;
  }
}

function parserOf(request: Request, plan: { known: readonly string[]; maxFieldBytes: number }): BusboyInstance {
  const type = request.headers['content-type'];
  if (type === undefined || !multipartType.test(type)) {
    throw new LilyError('unsupported-media-type', 'Send the body as multipart/form-data');
  }
  try {
    return new Busboy({
      headers: { ...request.headers, 'content-type': type },
      // A part is a file when it says its name, or that it is no text.
      limits: {
        fieldNameSize: 100,
        fieldSize: plan.maxFieldBytes,
        fields: plan.known.length + 1,
        files: 1,
        parts: plan.known.length + 3,
        headerPairs: 20,
        headerSize: 8_192,
      },
    });
  } catch (error) {
    throw new InvalidInput(`The multipart body cannot be read: ${messageOf(error)}`);
  }
}

/** A name is only a name: what looks like a path to it is left out. */
export function lastStep(name: string | undefined): string {
  const step = (name ?? '').split(/[/\\]/).at(-1) ?? '';
  const printable = step.replace(/[\u0000-\u001f\u007f]/g, '').trim();
  return printable === '' || printable === '.' || printable === '..' ? 'unnamed' : printable;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
