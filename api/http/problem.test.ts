import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { errorCatalogue, LilyError, type ErrorCode } from '#domain/errors.ts';
import { invalidInput } from './invalid-input.ts';
import { inTime, outageOf, withOutageNamed } from './outage.ts';
import { problemHeaders, problemOf } from './problem.ts';

function named(name: string, fields: object = {}): Error {
  return Object.assign(new Error('inner words'), { name, ...fields });
}

describe('problemOf', () => {
  it.each(Object.keys(errorCatalogue) as ErrorCode[])('maps %s to its status', (code) => {
    const problem = problemOf(new LilyError(code, 'mend this'), { traceId: 't', instance: '/x' });
    expect(problem).toMatchObject({ code, status: errorCatalogue[code].status, trace_id: 't', instance: '/x' });
    expect(problem.detail).toBe(code === 'internal' ? problem.detail : 'mend this');
  });

  it('says nothing of what it does not know', () => {
    const problem = problemOf(new Error('password=hunter2 at /srv/lily/secret.ts'));
    expect(problem).toMatchObject({ status: 500, code: 'internal' });
    expect(JSON.stringify(problem)).not.toMatch(/hunter2|secret/);
  });

  it('lists every fault as a JSON pointer, at most twenty', () => {
    const schema = z.strictObject({ 'a/b': z.string(), list: z.array(z.strictObject({ n: z.number() })) });
    const list = [{ n: 'x' }, ...Array.from({ length: 40 }, () => ({}))];
    const parsed = schema.safeParse({ list, extra: 1 });
    const problem = problemOf(invalidInput(parsed.error as z.ZodError, 'body'));
    expect(problem.errors).toHaveLength(20);
    expect(problem.field).toBe('/a~1b');
    expect(problem.errors).toContainEqual({ field: '/list/1/n', detail: 'is required' });
  });

  it('challenges with 401, safely quoted', () => {
    const headers = problemHeaders(problemOf(new LilyError('unauthenticated', 'a "b" \\ \n ü')));
    expect(headers['WWW-Authenticate']).toBe(
      `Bearer realm="lily", error="invalid_token", error_description="a 'b' ' ' '"`,
    );
    expect(problemHeaders(problemOf(new LilyError('unavailable', 'x')))['Retry-After']).toBe('2');
  });
});

describe('outages', () => {
  it.each([
    [named('MongoServerSelectionError'), 'MongoDB'],
    [named('MongoNetworkError'), 'MongoDB'],
    [named('MongoNetworkTimeoutError'), 'MongoDB'],
    [named('MongoPoolClearedError'), 'MongoDB'],
    [named('MongoServerError', { code: 10107 }), 'MongoDB'],
    [named('MongoServerError', { code: 11000 }), undefined],
    [named('KafkaJSConnectionError'), 'Kafka'],
    [named('KafkaJSNumberOfRetriesExceeded'), 'Kafka'],
    [named('Neo4jError', { code: 'ServiceUnavailable' }), 'Neo4j'],
    [named('Neo4jError', { code: 'Neo.TransientError.General.Any' }), 'Neo4j'],
    [named('Neo4jError', { code: 'Neo.ClientError.Statement.SyntaxError' }), undefined],
    [named('Error', { code: 14, details: 'No connection' }), 'Temporal'],
    [named('TypeError'), undefined],
    [new Error('outer', { cause: named('MongoNetworkError') }), 'MongoDB'],
  ])('%s → %s', (error, server) => {
    expect(outageOf(error)).toBe(server);
    const code = withOutageNamed(error) instanceof LilyError ? 'unavailable' : undefined;
    expect(code).toBe(server === undefined ? undefined : 'unavailable');
  });

  it('never waits for longer than it may', async () => {
    const never = new Promise<never>(() => undefined);
    await expect(inTime('Neo4j', never, 10)).rejects.toMatchObject({ code: 'unavailable' });
  });
});
