import { describe, expect, it, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { emptyPositions } from '#platform/kafka/notification-log.ts';
import { Incoming } from './notification.ts';
import { Session } from './session.ts';
import { parseConnect } from './subscription.ts';

const topic = 'lily.changes';

function incoming(data: unknown, key = 'acme|id-1'): Incoming {
  return new Incoming({ topic, partition: 0, offset: 0, key, value: Buffer.from(JSON.stringify({ data })) });
}

function sessionWith(socket: { bufferedAmount: number }, query = '') {
  const send = vi.fn<(text: string) => void>();
  const close = vi.fn<(code: number, reason: string) => void>();
  const { subscription } = parseConnect(new URLSearchParams(query));
  const fake = Object.assign(socket, { readyState: 1, OPEN: 1, send, close });
  return { session: new Session(fake as unknown as WebSocket, 'acme', subscription), send, close };
}

describe('Session', () => {
  const positions = { ...emptyPositions(), [topic]: [1] };

  it('closes a client that reads too slowly, and sends it nothing more', () => {
    const socket = { bufferedAmount: 0 };
    const { session, send, close } = sessionWith(socket);
    session.live(incoming({}), positions, () => 'first');
    expect(send).toHaveBeenCalledWith('first');
    socket.bufferedAmount = 1_000_001;
    session.live(incoming({}), positions, () => 'second');
    expect(close).toHaveBeenCalledWith(1013, expect.stringContaining('last_id'));
    expect(send).toHaveBeenCalledTimes(1);
  });

  it('gathers no more than it may while the past is given, and says so', async () => {
    const { session } = sessionWith({ bufferedAmount: 0 });
    session.gather(emptyPositions());
    for (let count = 0; count < 10_001; count += 1) session.live(incoming({}), positions, () => '');
    expect(await session.goLive()).toBe(false);
    session.gather(emptyPositions());
    expect(await session.goLive()).toBe(true);
  });

  it('passes over what is no event of ours', () => {
    const { session, send } = sessionWith({ bufferedAmount: 0 });
    const garbage = new Incoming({ topic, partition: 0, offset: 0, key: 'acme|x', value: Buffer.from('{garbage') });
    session.live(garbage, positions, () => 'never');
    session.live(new Incoming({ ...garbage.message, value: Buffer.from('{}') }), positions, () => 'never');
    expect(send).not.toHaveBeenCalled();
  });

  it.each([
    ['types=impact', 0],
    ['types=update,impact', 1],
    ['entity_type=view', 0],
    ['entity_type=view,table', 1],
    ['metadata_id=00000000-0000-8000-8000-000000000000', 0],
    ['', 1],
  ])('sends only what was asked for: %s', (query, count) => {
    const { session, send } = sessionWith({ bufferedAmount: 0 }, query);
    session.live(incoming({ entity_type: 'table' }), positions, () => 'text');
    expect(send).toHaveBeenCalledTimes(count);
  });
});
