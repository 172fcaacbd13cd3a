import { createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { requireFreePorts, takenPortsMessage } from './port-check.ts';

async function listen(host: string): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  return { port, close: () => new Promise((resolve) => server.close(() => resolve())) };
}

test.each(['127.0.0.1', '0.0.0.0'])('a port that is listened on at %s is named, with what it is for', async (host) => {
  const { port, close } = await listen(host);
  try {
    await expect(requireFreePorts([{ port, purpose: 'Kafka' }])).rejects.toThrow(
      `Port ${port} (Kafka) is already used by another program: end that program, or move the whole stack away from it, for example with LILY_PORT_OFFSET=5000.`,
    );
  } finally {
    await close();
  }
});

test('a free port is accepted, and stays free', async () => {
  const { port, close } = await listen('127.0.0.1');
  await close();
  await expect(requireFreePorts([{ port, purpose: 'Kafka' }])).resolves.toBeUndefined();
  await expect(requireFreePorts([{ port, purpose: 'Kafka' }])).resolves.toBeUndefined();
});

test('several taken ports make one sentence', () => {
  const message = takenPortsMessage([
    { port: 8080, purpose: 'API' },
    { port: 9092, purpose: 'Kafka' },
  ]);
  expect(message).toMatch(/^Ports 8080 \(API\), 9092 \(Kafka\) are already used/);
  expect(message.match(/\. |\n/)).toBeNull();
});
