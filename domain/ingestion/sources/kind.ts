import { z } from 'zod';
import type { Json } from '../../assets/entity.ts';

/** A source as people may see it: without anything that is secret. */
export type PublicSource = { type: string; [field: string]: Json | undefined };

/** What every type of source says of itself, beside the schema of its options. */
export interface SourceKind<Options> {
  /**
   * Names the source: the same place always gives the same id, whoever signs in and whatever part of it is read.
   * At most 256 characters, and never credentials.
   */
  idOf(options: Options): string;
  publicOf(options: Options): PublicSource;
  /** The hosts that the options name, each with the JSON pointer of its field: checked before anything is connected. */
  hostsOf(options: Options): { host: string; field: string }[];
  /**
   * The given options with the kept ones' credentials where none are given, for a saved source that is replaced. Only where
   * they would go to the same place and account as before: else who may edit a source could have its password sent to a
   * place of their own. Without it, the options are taken as they are given.
   */
  withKeptSecrets?(given: Options, kept: Options): Options;
}

/** Entities that one page holds, about: a page ends with a whole relation. */
export const defaultSourcePageSize = 2_000;

/** The `name` of a source. @param thing what people call the place, for example `database` */
export function sourceNameSchema(thing: string) {
  return z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/, 'must be 1 to 63 letters, digits, `_` or `-`')
    .meta({
      description: `What the ${thing} is called in Lily, and the first part of every qualified name. Without it the own name of the ${thing} is used: give one where two of a tenant have the same name.`,
    });
}

export const pageSizeSchema = z
  .int()
  .min(50)
  .max(5_000)
  .meta({ description: `Entities in a page, about; ${defaultSourcePageSize} without it` });
