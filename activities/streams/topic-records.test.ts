import { describe, expect, it } from 'vitest';
import { ingestHeaders } from '#domain/topics.ts';
import { parseFaultHeader } from '#domain/transformation/dead-letter.ts';
import { recordsOfMessage, type Origin } from './topic-records.ts';

const origin: Origin = {
  tenantId: 'acme',
  integrationId: 'i1',
  name: 'orders',
  partition: 3,
  incarnation: 'A~0',
  mapping: undefined,
};
const made = (value: string | Buffer, change: Partial<Origin> = {}, offset = 17) =>
  recordsOfMessage({ ...origin, ...change }, { offset, value: Buffer.from(value) });
const ids = (...args: Parameters<typeof made>) =>
  made(...args).messages.map(({ headers }) => headers?.[ingestHeaders.recordId]);
const table = '{"entity_type":"table","name":"t"}';

describe('the records of a message', () => {
  it('have ids that follow from where the message stands, and from nothing else', () => {
    expect(ids(table)).toEqual(ids('{"entity_type":"table","name":"another"}'));
    const others = [
      ids(table, {}, 18),
      ids(table, { partition: 4 }),
      ids(table, { incarnation: 'B~0' }),
      ids(table, { incarnation: 'A~1' }),
      ids(table, { integrationId: 'i2' }),
      ids(table, { tenantId: 'other' }),
    ].flat();
    expect(new Set([...ids(table), ...others]).size).toBe(7);
    expect(new Set(ids(`[${table},${table}]`)).size).toBe(2);
  });

  it('carry tenant, door and actor, and keep whole numbers that JavaScript would change', () => {
    const [message] = made('{"entity_type":"table","name":"t","id":12345678901234567890}').messages;
    expect(message?.headers).toMatchObject({
      [ingestHeaders.tenant]: 'acme',
      [ingestHeaders.door]: 'topic',
      [ingestHeaders.actor]: 'topic:orders',
    });
    expect(JSON.parse(message?.value ?? '')).toMatchObject({ attributes: { id: '12345678901234567890' } });
  });

  it.each([
    ['{"a":', 'malformed-json', '{"a":'],
    ['7', 'invalid-record', '7'],
    ['{"name":"no type"}', 'invalid-record', '{"name":"no type"}'],
    ['[[1]]', 'invalid-record', '[[1]]'],
    [Buffer.from([0xc3]), 'malformed-json', '{"base64":"ww=="}'],
  ] as const)('are a dead letter for %s, with the place and what stood there', (value, reason, body) => {
    const { messages, deadLetters } = made(value);
    expect(deadLetters).toBe(1);
    expect(messages.map((message) => message.value)).toEqual([body]);
    const fault = parseFaultHeader(messages[0]?.headers?.[ingestHeaders.fault] ?? '');
    expect(fault?.reason).toBe(reason);
    expect(fault?.detail).toMatch(/^partition 3, offset 17: ./);
  });

  it('are a dead letter of bounded size when there is too much of it', () => {
    const large = made(JSON.stringify({ entity_type: 'table', name: 't', text: 'x'.repeat(600_000) }));
    expect(large.deadLetters).toBe(1);
    expect(large.messages[0]?.value.length).toBeLessThanOrEqual(512 * 1024);
    expect(made(`[${Array.from({ length: 1_001 }, () => table).join()}]`)).toMatchObject({ deadLetters: 1 });
  });

  it('are none where the message has no value', () => {
    expect(recordsOfMessage(origin, { offset: 1, value: undefined })).toEqual({ messages: [], deadLetters: 0 });
  });
});
