import { sourceHosts, type SourceOptions } from '#domain/ingestion/source.ts';
import { resolveAllowed } from '#platform/address-guard.ts';

/** Refuses a source at an address that it may not have. @throws LilyError `source-refused` or `source-unreachable` */
export async function requireAllowedHosts(source: SourceOptions, allowPrivate: boolean): Promise<void> {
  for (const { host, field } of sourceHosts(source)) await resolveAllowed(host, allowPrivate, { field });
}
