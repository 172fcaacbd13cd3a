import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Request } from 'express';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lastStep, readMultipart } from './multipart.ts';

const removed: string[] = [];
const failed: string[] = [];
let server: Server;
let address: string;

beforeEach(async () => {
  removed.length = 0;
  failed.length = 0;
  server = createServer((request, response) => {
    const plan = {
      fields: ['source', 'options'],
      maxFieldBytes: 100,
      onFile: async (content: NodeJS.ReadableStream, { name, contentType }: { name: string; contentType: string }) => {
        try {
          return `${name} ${contentType} ${await text(content)}`;
        } catch (error) {
          failed.push(name);
          throw error;
        }
      },
    };
    readMultipart(request as Request, plan, async (file) => removed.push(file)).then(
      (body) => response.end(JSON.stringify(body)),
      (error: unknown) => {
        response.statusCode = 400;
        response.end((error as Error).message);
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.close();
});

const boundary = 'XyZ';
const type = { 'Content-Type': `multipart/form-data; boundary=${boundary}` };
const field = (name: string, value: string): string =>
  `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const file = (value: string, name = 'a.csv', at = 'file'): string =>
  `--${boundary}\r\nContent-Disposition: form-data; name="${at}"; filename="${name}"\r\nContent-Type: text/csv\r\n\r\n${value}\r\n`;
const end = `--${boundary}--\r\n`;

async function send(body: string, headers: Record<string, string> = type): Promise<string> {
  const response = await fetch(address, { method: 'POST', headers, body });
  return response.text();
}

test('a file and fields, in any order', async () => {
  const expected = { fields: { source: '{"a":1}', options: 'ü' }, file: 'a.csv text/csv one,two' };
  const [source, options, content] = [field('source', '{"a":1}'), field('options', 'ü'), file('one,two')];
  for (const parts of [
    [source, options, content],
    [content, source, options],
    [source, content, options],
  ]) {
    expect(JSON.parse(await send(`${parts.join('')}${end}`))).toEqual(expected);
  }
});

test('no file is no fault here; an empty one is one', async () => {
  expect(JSON.parse(await send(`${field('source', 'x')}${end}`))).toEqual({ fields: { source: 'x' } });
  expect(JSON.parse(await send(`${file('')}${end}`))).toEqual({ fields: {}, file: 'a.csv text/csv ' });
});

test.each([
  ['two files', `${file('1')}${file('2')}${end}`, 'is given more than once'],
  ['two fields of one name', `${field('source', '1')}${field('source', '2')}${end}`, 'is given more than once'],
  ['a field that nobody knows', `${field('other', '1')}${end}`, 'is not known'],
  ['a field that is too long', `${field('source', 'x'.repeat(101))}${end}`, 'may have at most 100 bytes'],
  ['__proto__', `${field('__proto__', '1')}${end}`, 'is not known'],
  ['a body that ends in the middle', file('never ends'), 'cannot be read'],
  ['no part at all', '', 'cannot be read'],
])('%s is refused', async (_what, body, words) => {
  expect(await send(body)).toContain(words);
});

test('what was taken before the fault is given back', async () => {
  const request = httpRequest(address, { method: 'POST', headers: type });
  request.write(`${file('1')}--${boundary}\r\n`);
  await sleep(100);
  request.end(field('other', 'x').replace(`--${boundary}\r\n`, ''));
  await expect.poll(() => removed).toEqual(['a.csv text/csv 1']);
});

test('without a boundary, or with another type, it says so', async () => {
  expect(await send(file('1'), { 'Content-Type': 'multipart/form-data' })).toContain('Boundary not found');
  expect(await send('{}', { 'Content-Type': 'application/json' })).toContain('multipart/form-data');
});

test('when the sender goes away, whoever takes the file hears of it', async () => {
  const request = httpRequest(address, { method: 'POST', headers: { ...type, 'Content-Length': '100000' } });
  request.on('error', () => undefined);
  request.write(file('the beginning'));
  await sleep(100);
  request.destroy();
  await expect.poll(() => failed).toEqual(['a.csv']);
  expect(removed).toEqual([]);
});

test.each([
  ['../../etc/passwd', 'passwd'],
  ['C:\\Users\\ada\\orders.csv', 'orders.csv'],
  ['..', 'unnamed'],
  ['', 'unnamed'],
  [undefined, 'unnamed'],
  ['a\u0000b\r\n.csv', 'ab.csv'],
])('the name %j is %s', (given, name) => {
  expect(lastStep(given)).toBe(name);
});
