import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fetchFile } from './fetch-file.ts';

let server: Server;
let port: number;
const asked: string[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (request.url === '/moved') response.writeHead(301, { Location: 'http://169.254.169.254/latest/' }).end();
    else if (request.url === '/busy') response.writeHead(503).end();
    else if (request.url === '/gone') response.writeHead(410).end();
    else if (request.url === '/huge') response.writeHead(200, { 'Content-Length': String(2 ** 40) }).write('x');
    else if (request.url === '/broken') {
      response.writeHead(200, { 'Content-Length': '1000' });
      response.write('the beginning');
      setTimeout(() => response.destroy(), 20);
    } else response.setHeader('Content-Type', 'text/csv').end(`host ${request.headers.host}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const at = (path: string, host = '127.0.0.1'): string => `http://${host}:${port}${path}`;

test('a file comes from the address that its name resolved to, and is asked for by its name', async () => {
  const { content, name, contentType } = await fetchFile(at('/dumps/a.csv?x=1', 'localhost'), true);
  expect({ name, contentType, body: await text(content) }).toEqual({
    name: 'a.csv',
    contentType: 'text/csv',
    body: `host localhost:${port}`,
  });
});

test.each([
  '127.0.0.1',
  'localhost',
  '[::1]',
  '10.0.0.1',
  '169.254.169.254',
  '[::ffff:127.0.0.1]',
  '0.0.0.0',
  '2130706433',
])('%s is refused without a word to it, unless private addresses are allowed', async (host) => {
  asked.length = 0;
  await expect(fetchFile(at('/a', host), false)).rejects.toMatchObject({ code: 'source-refused' });
  expect(asked).toEqual([]);
});

test.each([
  ['/moved', 'source-refused', 'redirects are not followed', 'PermanentSourceError'],
  ['/gone', 'source-unreachable', 'answers 410', 'PermanentSourceError'],
  ['/busy', 'source-unreachable', 'answers 503', 'LilyError'],
  ['/huge', 'source-invalid', 'has more than', 'PermanentSourceError'],
])('%s fails with %s', async (path, code, words, kind) => {
  asked.length = 0;
  const failure = await fetchFile(at(path), true).then(
    () => undefined,
    (error: Error & { code: string }) => error,
  );
  expect(failure).toMatchObject({ code, message: expect.stringContaining(words) as string });
  expect(failure?.constructor.name).toBe(kind);
  expect(asked).toEqual([path]);
});

test('a content that breaks off fails', async () => {
  const { content } = await fetchFile(at('/broken'), true);
  await expect(text(content)).rejects.toThrow();
});
