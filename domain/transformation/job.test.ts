import { expect, it } from 'vitest';
import { letterFilterSchema } from './job.ts';

it('takes any text to look for but one with NUL, which ends a pattern of the store', () => {
  expect(letterFilterSchema.safeParse({ text: 'a.*(b' }).success).toBe(true);
  expect(letterFilterSchema.safeParse({ text: 'a\0b' }).error?.issues[0]).toMatchObject({
    path: ['text'],
    message: 'must not contain NUL',
  });
});
