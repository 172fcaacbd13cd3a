import fc from 'fast-check';
import { expect, it } from 'vitest';
import { eventTexts } from './event-texts.ts';

it('cuts each event out as it came, with its spaces, its numbers and its escapes', () => {
  const events = ['{ "n": 12345678901234567890.10 }', '{"a":"]}\\"\\\\","b":[{}]}', '1', '"x"', 'null', '{}'];
  expect(eventTexts(`[${events.join(',')}]`)).toEqual(events);
  expect(eventTexts(` [\n${events.join(' ,\t')} ] `)).toEqual(events);
  expect(eventTexts(`{"a":[1,{"events":2}],"events" : [${events.join(',')}] , "z":"[","y":-1}`)).toEqual(events);
});

it('goes by the key that JSON.parse goes by', () => {
  expect(eventTexts('{"events":[1],"\\u0065vents":[2, 3]}')).toEqual(['2', '3']);
  expect(eventTexts('{"events":{}}')).toEqual([]);
  expect(eventTexts('{}')).toEqual([]);
  expect(eventTexts('[]')).toEqual([]);
});

it('finds what JSON.parse finds, in whatever is sent', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), fc.jsonValue(), fc.nat(3), (events, beside, indent) => {
      for (const body of [events, { beside, events }, { events, beside }]) {
        const found = eventTexts(JSON.stringify(body, undefined, indent)).map((text) => JSON.parse(text) as unknown);
        expect(JSON.stringify(found)).toBe(JSON.stringify(events));
      }
    }),
  );
});
