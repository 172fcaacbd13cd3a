import type { Json } from '#domain/assets/entity.ts';
import { limits } from '#domain/limits.ts';

/** Keeps what says something: no nulls, and nothing that is empty. */
export function present(values: Record<string, Json | undefined>): Record<string, Json> {
  const says = ([, value]: [string, Json | undefined]): boolean => {
    if (value === undefined || value === null || value === '') return false;
    return typeof value !== 'object' || Object.keys(value).length > 0;
  };
  return Object.fromEntries(Object.entries(values).filter(says)) as Record<string, Json>;
}

export function described(description: string | null | undefined): string | undefined {
  return description?.slice(0, limits.descriptionLength);
}
