import { EventEmitter } from 'node:events';
import { expect, it, vi } from 'vitest';
import { boundAnswers } from './guarded-socket.ts';

/** A socket that answers come in by, in pieces of this size. */
function answered(answers: Buffer[], pieceBytes: number): unknown {
  const destroy = vi.fn<(error: Error) => void>();
  const socket = Object.assign(new EventEmitter(), { destroy });
  boundAnswers(socket as never, 100);
  const all = Buffer.concat(answers);
  for (let at = 0; at < all.length; at += pieceBytes) socket.emit('data', all.subarray(at, at + pieceBytes));
  return destroy.mock.calls[0]?.[0].message;
}

function answer(bytes: number, announced = bytes): Buffer {
  const buffer = Buffer.alloc(4 + bytes, 0xff);
  buffer.writeInt32BE(announced);
  return buffer;
}

it('lets answers of any allowed size through, however they are cut, and none that announces more', () => {
  for (const pieceBytes of [1, 2, 3, 5, 64, 1_000]) {
    expect(answered([answer(0), answer(100), answer(7), answer(99)], pieceBytes)).toBeUndefined();
    expect(answered([answer(100), answer(0, 101)], pieceBytes)).toBe('the broker announced an answer of 101 bytes');
    expect(answered([answer(3), answer(0, -1)], pieceBytes)).toBe('the broker announced an answer of -1 bytes');
  }
});
