import fc from 'fast-check';
import { expect, it } from 'vitest';
import { describeJsonFault } from './json-fault.ts';

it('finds no fault in what JSON.stringify wrote, and the end where it was cut', () => {
  fc.assert(
    fc.property(fc.json(), fc.nat(), (text, cut) => {
      expect(describeJsonFault(text)).toMatch(/^Expected nothing more, found the end/);
      const part = text.slice(0, cut % text.length);
      let valid = true;
      try {
        JSON.parse(part);
      } catch {
        valid = false;
      }
      expect(describeJsonFault(part).startsWith('Expected nothing more, found the end')).toBe(valid);
    }),
  );
});
