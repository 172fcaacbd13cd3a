import { expect, it } from 'vitest';
import { faultHeader, parseFaultHeader } from './dead-letter.ts';

it('carries a fault through a header, and takes nothing else for one', () => {
  const fault = { reason: 'invalid-record', detail: 'item 3: “name” is missing' } as const;
  expect(parseFaultHeader(faultHeader(fault))).toEqual(fault);
  expect(parseFaultHeader(faultHeader({ ...fault, detail: 'x'.repeat(9_000) }))?.detail).toHaveLength(2_000);
  for (const other of ['', 'null', '1', '{}', '{"reason":"boredom","detail":"x"}', '{"reason":"invalid-record"}']) {
    expect(parseFaultHeader(other), other).toBeUndefined();
  }
});
