import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { newWebhookSecret, signatureFault } from './webhook-signature.ts';

const secrets = Array.from({ length: 4 }, newWebhookSecret);

interface Case {
  signers: number[];
  holders: number[];
  id: string;
  skewSeconds: number;
  body: string;
  noise: string[];
}

const cases: fc.Arbitrary<Case> = fc.record({
  signers: fc.subarray([0, 1, 2, 3]),
  holders: fc.subarray([0, 1, 2, 3], { minLength: 1 }),
  id: fc.stringMatching(/^[\x21-\x7e]{1,40}$/),
  skewSeconds: fc.oneof(fc.integer({ min: -900, max: 900 }), fc.constantFrom(-301, -300, -299, 299, 300, 301)),
  body: fc.oneof(fc.json(), fc.string({ unit: 'grapheme' }), fc.constant('')),
  noise: fc.array(fc.constantFrom('v1,', 'v2,abc=', 'v1a,xyz', 'v1,AAAA', ',', 'v1'), { maxLength: 3 }),
});

/** What the genuine library says, secret by secret. */
function genuine(keys: string[], headers: Record<string, string>, body: string): boolean {
  return keys.some((key) => {
    try {
      new Webhook(key).verify(body, headers, { jsonParse: false });
      return true;
    } catch {
      return false;
    }
  });
}

describe('Standard Webhooks signatures', () => {
  // The library looks at the clock by itself.
  beforeEach(() => void vi.useFakeTimers({ now: Date.now(), toFake: ['Date'] }));
  afterEach(() => void vi.useRealTimers());

  it('agree with the genuine library on 10,000 messages: rotation, clocks, strange signatures', () => {
    let [taken, refused] = [0, 0];
    fc.assert(
      fc.property(cases, ({ signers, holders, id, skewSeconds, body, noise }) => {
        const now = new Date();
        const at = new Date((Math.floor(now.getTime() / 1_000) + skewSeconds) * 1_000);
        const timestamp = String(at.getTime() / 1_000);
        const good = signers.map((signer) => new Webhook(secrets[signer] ?? '').sign(id, at, body));
        const signature = [...noise, ...good].join(' ');
        const keys = holders.map((holder) => secrets[holder] ?? '');
        const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature };
        const fault = signatureFault(keys, { id, timestamp, signature, body: Buffer.from(body) }, now);
        const expected = genuine(keys, headers, body);
        expect(fault === undefined, `${fault} ${JSON.stringify(headers)}`).toBe(expected);
        if (expected) taken += 1;
        else refused += 1;
      }),
      { numRuns: 10_000 },
    );
    expect(Math.min(taken, refused)).toBeGreaterThan(1_000);
  });

  it('refuse a message of which any part was changed', () => {
    const [secret = ''] = secrets;
    const now = new Date();
    const timestamp = String(Math.floor(now.getTime() / 1_000));
    const body = Buffer.from('{"a":1}');
    const signature = new Webhook(secret).sign('msg_1', now, body.toString());
    const message = { id: 'msg_1', timestamp, signature, body };
    const fault = (change: Partial<typeof message>) => signatureFault([secret], { ...message, ...change }, now);
    expect(fault({})).toBeUndefined();
    expect(fault({ id: 'msg_2' })).toBe('no-match');
    expect(fault({ timestamp: String(Number(timestamp) - 1) })).toBe('no-match');
    expect(fault({ body: Buffer.from('{"a":2}') })).toBe('no-match');
    expect(fault({ signature: signature.slice(0, -1) })).toBe('no-match');
    expect(fault({ signature: signature.replace('v1,', 'v1a,') })).toBe('no-match');
    expect(fault({ id: undefined as never })).toBe('missing');
    expect(fault({ timestamp: '' })).toBe('missing');
    expect(fault({ timestamp: `${timestamp}x` })).toBe('malformed');
    expect(fault({ id: 'x'.repeat(257) })).toBe('malformed');
    expect(signatureFault([], message, now)).toBe('no-match');
  });

  it('are over the bytes as they came, not over a text made of them', () => {
    const [secret = ''] = secrets;
    const now = new Date();
    const timestamp = String(Math.floor(now.getTime() / 1_000));
    const signature = new Webhook(secret).sign('m', now, '\uFFFD');
    expect(
      signatureFault([secret], { id: 'm', timestamp, signature, body: Buffer.from('\uFFFD') }, now),
    ).toBeUndefined();
    expect(signatureFault([secret], { id: 'm', timestamp, signature, body: Buffer.from([0xff]) }, now)).toBe(
      'no-match',
    );
  });
});
