import { limits } from '#domain/limits.ts';

/**
 * Seconds that the caller is willing to wait, from `Prefer: wait=N` (RFC 7240): at most {@link limits.waitSeconds},
 * undefined when nothing usable is asked for. The first `wait` counts; preferences that cannot be read are ignored, as the RFC says.
 */
export function preferredWait(header: string | undefined): number | undefined {
  for (const preference of header?.split(',') ?? []) {
    const [name, value] = (preference.split(';', 1)[0] ?? '').split('=', 2);
    if (name?.trim().toLowerCase() !== 'wait') continue;
    const digits = /^"?(\d{1,9})"?$/.exec(value?.trim() ?? '')?.[1];
    if (digits === undefined || Number(digits) === 0) return undefined;
    return Math.min(Number(digits), limits.waitSeconds);
  }
  return undefined;
}
