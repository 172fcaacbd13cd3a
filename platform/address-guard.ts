import { lookup } from 'node:dns/promises';
import ipaddr from 'ipaddr.js';
import { LilyError } from '#domain/errors.ts';

export type Lookup = (host: string) => Promise<{ address: string }[]>;

const systemLookup: Lookup = (host) => lookup(host, { all: true, verbatim: true });

/**
 * Resolves a host that a tenant named, once. Connect to the addresses that this returns, never to the name again: a name
 * may resolve to something else the next time (DNS rebinding).
 *
 * @throws LilyError `source-refused` when any of its addresses is not a public one, unless private ones are allowed;
 * `source-unreachable` when the name does not resolve.
 */
export async function resolveAllowed(
  host: string,
  allowPrivate: boolean,
  { field = '/source/url', resolve = systemLookup }: { field?: string; resolve?: Lookup } = {},
): Promise<string[]> {
  let addresses: string[];
  try {
    addresses = (await resolve(host)).map(({ address }) => address);
  } catch (cause) {
    throw new LilyError('source-unreachable', `The host name ${host} does not resolve.`, { field, cause });
  }
  if (addresses.length === 0) {
    throw new LilyError('source-unreachable', `The host name ${host} has no address.`, { field });
  }
  if (!allowPrivate && !addresses.every(isPublicAddress)) {
    // The address itself stays unsaid: it would tell an outsider how the inside is laid out.
    throw new LilyError('source-refused', `${host} is not at a public address.`, { field });
  }
  return addresses;
}

/** Whether the address is reachable over the internet: not loopback, private, link-local, multicast, reserved, … */
export function isPublicAddress(address: string): boolean {
  // A zone (`fe80::1%eth0`) only ever belongs to a link-local address.
  if (!ipaddr.isValid(address) || address.includes('%')) return false;
  // `process` turns ::ffff:10.0.0.1 into 10.0.0.1.
  return ipaddr.process(address).range() === 'unicast';
}
