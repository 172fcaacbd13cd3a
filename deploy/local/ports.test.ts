import { describe, expect, test } from 'vitest';
import { parsePortOffset, parseStackName, planPorts, STACK_NAMES, SUGGESTED_OFFSET } from './ports.ts';
import { takenPortsMessage } from './process/port-check.ts';

describe('the port plan', () => {
  test('gives the dev stack the documented ports', () => {
    expect(planPorts('dev')).toEqual({
      api: 8080,
      oidc: 8081,
      workerHealth: 8090,
      temporal: 7233,
      temporalUi: 8233,
      kafka: 9092,
      kafkaController: 9093,
      neo4j: 7687,
      mongo: 27017,
      warehouse: 5433,
    });
  });

  test('gives no port to two services, in any of the stacks that may stand side by side', () => {
    const ports = STACK_NAMES.flatMap((stack) => Object.values(planPorts(stack)));
    expect(new Set(ports).size).toBe(ports.length);
  });

  test('moves every port by the offset', () => {
    expect(planPorts('test', 1000).kafka).toBe(9092 + 100 + 1000);
  });
});

describe('what the user says', () => {
  test.each([
    ['1000', 1000],
    ['-100', -100],
    ['0', 0],
  ])('offset %j is taken as %d', (text, offset) => {
    expect(parsePortOffset(text)).toBe(offset);
  });

  test.each(['', ' ', 'many', '1.5', '60000', '-5000', 'NaN'])('offset %j is refused', (text) => {
    expect(() => parsePortOffset(text)).toThrow(/LILY_PORT_OFFSET must be a whole number between -?\d+ and \d+/);
  });

  test('an unknown stack is refused, and the known ones are named', () => {
    expect(parseStackName('chaos')).toBe('chaos');
    expect(() => parseStackName('prod')).toThrow(
      'There is no stack named "prod"; the stacks are dev, test, chaos, bench.',
    );
  });
});

test('the offset that is suggested for a second checkout collides with no stack of the first', () => {
  const first = new Set(STACK_NAMES.flatMap((stack) => Object.values(planPorts(stack))));
  const second = STACK_NAMES.flatMap((stack) => Object.values(planPorts(stack, SUGGESTED_OFFSET)));
  expect(second.filter((port) => first.has(port))).toEqual([]);
  expect(takenPortsMessage([{ port: 1, purpose: 'x' }])).toContain(`LILY_PORT_OFFSET=${SUGGESTED_OFFSET}`);
});
