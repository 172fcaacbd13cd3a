import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { Readable } from 'node:stream';
import { LilyError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { resolveAllowed } from '#platform/address-guard.ts';
import { PermanentSourceError } from '../../permanent-source-error.ts';

export interface FetchedFile {
  content: Readable;
  name: string;
  contentType: string;
}

/** No news from the server for so long, and it has gone. */
const silenceMs = 30_000;

/**
 * Fetches a file from an address that a tenant named: from the addresses that the name resolved to when it was checked,
 * following no redirect. What cannot be mended by trying again is a `PermanentSourceError`.
 * @throws LilyError `source-refused`, `source-unreachable`; the content fails with the latter when it breaks off
 */
export async function fetchFile(address: string, allowPrivate: boolean): Promise<FetchedFile> {
  const url = new URL(address);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const addresses = await resolveAllowed(host, allowPrivate);
  const response = await requestFrom(url, addresses);
  const { statusCode = 0, headers } = response;
  if (statusCode !== 200) {
    response.destroy();
    throw refusal(statusCode);
  }
  if (Number(headers['content-length'] ?? 0) > limits.uploadBytes) {
    response.destroy();
    throw new PermanentSourceError('source-invalid', `The file has more than ${limits.uploadBytes} bytes.`);
  }
  return {
    content: response,
    name: (url.pathname.split('/').at(-1) ?? '').slice(0, limits.uploadNameLength) || 'unnamed',
    contentType: headers['content-type']?.slice(0, 255) ?? 'application/octet-stream',
  };
}

function requestFrom(url: URL, addresses: string[]): Promise<IncomingMessage> {
  const pinned: LookupFunction = (_host, options, callback) => {
    const found = addresses.map((address) => ({ address, family: isIP(address) }));
    const [first] = found;
    if (options.all === true) callback(null, found);
    else callback(null, first?.address ?? '', first?.family);
  };
  const credentials =
    url.username === '' ? {} : { auth: `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}` };
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = send(
      url,
      {
        ...credentials,
        lookup: pinned,
        headers: { Accept: '*/*', 'Accept-Encoding': 'identity', 'User-Agent': 'Lily' },
        signal: AbortSignal.timeout(limits.fetchMinutes * 60_000),
        timeout: silenceMs,
      },
      resolve,
    );
    request.on('timeout', () => request.destroy(new Error('the server says nothing any more')));
    request.on('error', (cause) => {
      reject(new LilyError('source-unreachable', `${url.host} cannot be read: ${cause.message}.`, { cause }));
    });
    request.end();
  });
}

function refusal(status: number): LilyError {
  if (status >= 300 && status < 400) {
    return new PermanentSourceError('source-refused', `The server answers ${status}; redirects are not followed.`);
  }
  const detail = `The server answers ${status}.`;
  const again = status >= 500 || status === 408 || status === 429;
  return again ? new LilyError('source-unreachable', detail) : new PermanentSourceError('source-unreachable', detail);
}
