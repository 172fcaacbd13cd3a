import { describe, expect, test } from 'vitest';
import { isGoodTemporal } from './temporal.ts';
import { goTool, javaTool, missingToolMessage, pythonTool, requireTool } from './tools.ts';

describe('a tool', () => {
  test('that is missing is named in one sentence, with its use', async () => {
    const tool = { ...goTool(), command: 'no-such-go' };
    await expect(requireTool(tool)).rejects.toThrow(
      'Go 1.24 or later is needed to build Temporal once, but "no-such-go" was not found: install it and run the command again.',
    );
  });

  test('that is too old is named with what was found', () => {
    expect(missingToolMessage(javaTool(), 'openjdk version "11.0.2"')).toBe(
      'Java 17 or later is needed to run Kafka and Neo4j, but "java" is there but does not do (openjdk version "11.0.2"): install it and run the command again.'.replace(
        '"java"',
        `"${javaTool().command}"`,
      ),
    );
  });

  test('that fails is refused', async () => {
    const tool = { ...pythonTool(), args: ['-c', 'import sys; sys.exit("No module named pip")'] };
    await expect(requireTool(tool)).rejects.toThrow(/^Python 3\.10 or later with pip is needed to download/);
  });

  test.each([
    [javaTool(), 'openjdk version "17.0.15" 2025-04-15', true],
    [javaTool(), 'openjdk version "21" 2023-09-19', true],
    [javaTool(), 'openjdk version "11.0.2" 2019-01-15', false],
    [javaTool(), 'java version "1.8.0_402"', false],
    [goTool(), 'go version go1.26.8 linux/amd64', true],
    [goTool(), 'go version go1.24 linux/amd64', true],
    [goTool(), 'go version go1.19.8 linux/amd64', false],
    [goTool(), 'go version go2.0 linux/amd64', true],
  ])('$name says %j: %j', (tool, output, good) => {
    expect(tool.accepts(output)).toBe(good);
  });
});

describe('a temporal on PATH', () => {
  const help = '--db-filename --search-attribute --dynamic-config-value --sqlite-pragma';
  test.each([
    ['temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)', help, true],
    ['temporal version 1.1.0 (Server 1.25.0, UI 2.30.3)', help, false],
    ['temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)', '--db-filename', false],
    ['tctl 1.18', help, false],
  ])('%j with options %j: %j', (version, options, good) => {
    expect(isGoodTemporal(version, options)).toBe(good);
  });
});
