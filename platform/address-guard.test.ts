import { expect, test } from 'vitest';
import { isPublicAddress, resolveAllowed } from './address-guard.ts';

const inside =
  '127.0.0.1 127.8.8.8 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255 240.0.0.1 ' +
  '192.0.2.1 ::1 :: fe80::1 fe80::1%eth0 fc00::1 fd12::1 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: ' +
  '2001:db8::1 nonsense';

test.each([...inside.split(' '), ''])('%s is not public', (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

test.each(['8.8.8.8', '93.184.216.34', '2606:4700::1111', '::ffff:8.8.8.8'])('%s is public', (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

const resolvesTo =
  (...addresses: string[]) =>
  async () =>
    addresses.map((address) => ({ address }));

test('one private address among public ones is enough to refuse, and none is named', async () => {
  const attempt = resolveAllowed('rebound.example', false, { resolve: resolvesTo('8.8.8.8', '10.1.2.3') });
  await expect(attempt).rejects.toMatchObject({
    code: 'source-refused',
    message: 'rebound.example is not at a public address.',
  });
});

test('private addresses pass where they are allowed, and what is given is what was resolved', async () => {
  expect(await resolveAllowed('db', true, { resolve: resolvesTo('10.1.2.3', '::1') })).toEqual(['10.1.2.3', '::1']);
  expect(await resolveAllowed('db', false, { resolve: resolvesTo('8.8.8.8') })).toEqual(['8.8.8.8']);
});

test('a name that does not resolve cannot be reached', async () => {
  const fails = async (): Promise<never> => {
    throw new Error('ENOTFOUND');
  };
  await expect(resolveAllowed('no.such', true, { resolve: fails })).rejects.toMatchObject({
    code: 'source-unreachable',
  });
  await expect(resolveAllowed('empty', true, { resolve: resolvesTo() })).rejects.toMatchObject({
    code: 'source-unreachable',
  });
});

test.each(['127.1', '2130706433', '0x7f.1', 'localhost'])(
  '%s, another way to write loopback, is refused by what it resolves to',
  async (host) => {
    await expect(resolveAllowed(host, false)).rejects.toMatchObject({ code: 'source-refused' });
  },
);
