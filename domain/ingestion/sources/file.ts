import { z } from 'zod';
import { limits } from '../../limits.ts';
import { mappingSchema } from '../mapping.ts';
import { pageSizeSchema, sourceNameSchema, type SourceKind } from './kind.ts';

export const fileFormats = ['json', 'ndjson', 'csv', 'xml', 'xlsx'] as const;
export type FileFormat = (typeof fileFormats)[number];

/** `windows-1252` is what browsers and spreadsheets take `latin1` for; the two are one here. */
export const fileEncodings = ['utf-8', 'utf-16le', 'utf-16be', 'latin1', 'windows-1252'] as const;
export type FileEncoding = (typeof fileEncodings)[number];

const oneCharacter = z.string().regex(/^[\t\x20-\x7e]$/, 'must be one ASCII character');

/** A file: one that was uploaded, or one that is fetched from an address. */
export const fileSourceSchema = z
  .strictObject({
    type: z.literal('file'),
    format: z.enum(fileFormats, { error: `must be one of: ${fileFormats.join(', ')}` }).meta({
      description: 'What the file is, unpacked: a text may be compressed with gzip',
    }),
    object: z
      .string()
      .regex(/^[0-9a-f]{24}$/, 'must be the object_id of an upload')
      .optional()
      .meta({ description: 'The `object_id` of an earlier `POST /v1/uploads`' }),
    url: z
      .string()
      .max(2_048)
      .superRefine((url, context) => {
        const fault = fileUrlFault(url);
        if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
      })
      .optional()
      .meta({
        description:
          'Where the file is fetched from, once a run. No redirect is followed. User, password and query are kept sealed, and never given back.',
      }),
    name: sourceNameSchema('file').optional(),
    mode: z.enum(['merge', 'snapshot']).optional().meta({
      description:
        '`snapshot`: what an earlier run of the same `name` brought and this file no longer lists is deleted, after a complete reading only. `merge`, without it: nothing is deleted.',
    }),
    mapping: mappingSchema.optional(),
    records: z.string().max(512).optional().meta({
      description:
        'JSON: pointer to the list of rows. XML: name of the element of a row. Needed where the rows are not at the top',
    }),
    encoding: z
      .enum(fileEncodings, { error: `must be one of: ${fileEncodings.join(', ')}` })
      .optional()
      .meta({ description: 'How the text is encoded; without it as its byte order mark says, else UTF-8' }),
    delimiter: oneCharacter.optional().meta({ description: 'CSV: what stands between cells; a comma without it' }),
    quote: oneCharacter.optional().meta({ description: 'CSV: what stands around cells; a double quote without it' }),
    sheet: z
      .union([z.string().min(1).max(64), z.int().min(1).max(limits.fileSheets)], {
        error: 'must be the name or the number of a sheet',
      })
      .optional()
      .meta({ description: 'XLSX: name or number (from 1) of the sheet; the first without it' }),
    page_size: pageSizeSchema.optional(),
  })
  .superRefine((source, context) => {
    const fault = (field: keyof typeof source, message: string): void =>
      context.addIssue({ code: 'custom', path: [field], message });
    if ((source.object === undefined) === (source.url === undefined)) {
      fault('object', 'is needed, or else url: one of the two');
    }
    if (source.mode === 'snapshot' && source.name === undefined) {
      fault('name', 'is needed for a snapshot: it says whose earlier rows may be deleted');
    }
    if (source.url !== undefined && source.name === undefined && addressOf(source.url).length > 240) {
      fault('name', 'is needed, because the url is too long to name the source');
    }
    const misplaced: Partial<Record<keyof typeof source, FileFormat[]>> = {
      delimiter: ['csv'],
      quote: ['csv'],
      sheet: ['xlsx'],
      records: ['json', 'xml'],
      encoding: ['csv', 'ndjson', 'json', 'xml'],
    };
    for (const [field, formats] of Object.entries(misplaced) as [keyof typeof source, FileFormat[]][]) {
      if (source[field] !== undefined && !formats.includes(source.format)) {
        fault(field, `is for ${formats.join(', ')}, not for ${source.format}`);
      }
    }
    if (source.quote !== undefined && source.quote === (source.delimiter ?? ',')) {
      fault('quote', 'must differ from the delimiter');
    }
  })
  .meta({ id: 'FileSource' });

export type FileSource = z.infer<typeof fileSourceSchema>;

function fileUrlFault(url: string): string | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || !['http:', 'https:'].includes(parsed.protocol)) return 'must begin with https:// or http://';
  if (parsed.hostname === '') return 'must name a host';
  return undefined;
}

/** The address without what may be secret: user, password and query. */
function addressOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

export const fileKind: SourceKind<FileSource> = {
  idOf({ name, url, object = '' }) {
    if (name !== undefined) return `file:${name}`;
    return `file:${url === undefined ? object : addressOf(url)}`;
  },
  publicOf({ url, mapping: _mapping, ...rest }) {
    return { ...rest, ...(url !== undefined && { url: addressOf(url) }) };
  },
  hostsOf({ url }) {
    if (url === undefined) return [];
    return [{ host: new URL(url).hostname.replace(/^\[(.*)\]$/, '$1'), field: '/source/url' }];
  },
};
