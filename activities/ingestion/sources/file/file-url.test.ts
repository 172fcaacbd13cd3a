import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fileSourceSchema } from '#domain/ingestion/sources/file.ts';
import { memoryObjects } from '#test/support/memory-objects.ts';
import { sourceContext } from '#test/support/source-context.ts';
import { PermanentSourceError } from '../../permanent-source-error.ts';
import { FileReader } from './file-source.ts';

const rows = (of: string): string => [1, 2, 3].map((n) => `table,w.${of}${n},${of}${n}\n`).join('');
const [first, second] = [rows('orders'), rows('o')].map((content) => `entity_type,qualified_name,name\n${content}`);

let server: Server;
let url: string;
let content: string | undefined;

beforeAll(async () => {
  server = createServer((_request, response) => response.end(content));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.csv`;
});
afterAll(() => server.close());

/** A run's reader after what it had fetched is gone. */
function reader(): FileReader {
  const source = fileSourceSchema.parse({ type: 'file', format: 'csv', url });
  return new FileReader(source, { ...sourceContext, objects: memoryObjects().objects });
}

test('a run goes on with a file that it has to fetch again only if it is the same', async () => {
  content = first;
  const { nextCursor } = await reader().readPage(undefined, 2);
  expect(nextCursor).toBeDefined();
  expect((await reader().readPage(nextCursor, 2)).records).toMatchObject([{ qualified_name: 'w.orders3' }]);

  content = second;
  const failure = await reader()
    .readPage(nextCursor, 2)
    .catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(PermanentSourceError);
  expect(failure).toMatchObject({ message: expect.stringContaining('Start a new run') as string });
  expect((await reader().readPage(undefined, 2)).records).toMatchObject([
    { qualified_name: 'w.o1' },
    { qualified_name: 'w.o2' },
  ]);
});
