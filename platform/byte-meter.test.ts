import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ByteMeter } from './byte-meter.ts';

const megabyte = 1024 * 1024;
let server: Server;
let socket: Socket;
let far: Socket;
beforeEach(async () => {
  server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('data', () => undefined).on('error', () => undefined);
  [far] = (await once(server, 'connection')) as [Socket];
  far.on('error', () => undefined);
});
afterEach(() => {
  socket.destroy();
  far.destroy();
  server.close();
});

test('one answer may be so large, and the next one again', async () => {
  const meter = new ByteMeter({ sessionBytes: 10 * megabyte, answerBytes: 2 * megabyte });
  meter.watch(socket);
  for (let answer = 0; answer < 3; answer += 1) {
    meter.beginAnswer();
    far.write(Buffer.alloc(1.5 * megabyte));
    await expect.poll(() => meter.bytes).toBe((answer + 1) * 1.5 * megabyte);
  }
  await sleep(50);
  expect(meter.exceeded).toBeUndefined();
  far.write(Buffer.alloc(megabyte));
  await expect.poll(() => socket.destroyed).toBe(true);
  expect(meter.exceeded).toBe('sent more than 2 MiB in one answer');
});

test('all answers of a session together may be so large, whatever sockets they come through', async () => {
  let told = 0;
  const meter = new ByteMeter({ sessionBytes: 3 * megabyte, answerBytes: 2 * megabyte });
  meter.whenExceeded(() => (told += 1));
  meter.watch(socket);
  const second = connect((server.address() as AddressInfo).port, '127.0.0.1').on('data', () => undefined);
  second.on('error', () => undefined);
  const [other] = (await once(server, 'connection')) as [Socket];
  meter.watch(second);
  for (const one of [far, other]) {
    meter.beginAnswer();
    one.write(Buffer.alloc(1.8 * megabyte));
    await sleep(100);
  }
  await expect.poll(() => socket.destroyed && second.destroyed).toBe(true);
  expect(meter.exceeded).toBe('sent more than 3 MiB in one session');
  expect(told).toBe(1);
});
