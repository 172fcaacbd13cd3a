import { describe, expect, test } from 'vitest';
import { lockDigest, parseLockFile, readLockFile } from './lock-file.ts';

const file = { path: 'org/example/thing/1.0/thing-1.0.jar', sha256: 'a'.repeat(64), bytes: 10 };
const lock = { roots: ['org.example:thing:1.0'], files: [file] };

function parse(value: unknown): unknown {
  return parseLockFile('thing.lock.json', JSON.stringify(value));
}

describe('a lock file', () => {
  test('is read', () => {
    expect(parse(lock)).toEqual(lock);
  });

  test.each([
    ['no files', { ...lock, files: [] }],
    ['a short checksum', { ...lock, files: [{ ...file, sha256: 'abc' }] }],
    ['a path that climbs out', { ...lock, files: [{ ...file, path: '../../etc/passwd.jar' }] }],
    ['an absolute path', { ...lock, files: [{ ...file, path: '/etc/a/b/c.jar' }] }],
    ['something that is no jar', { ...lock, files: [{ ...file, path: 'org/example/thing/1.0/thing.sh' }] }],
    ['an unknown field', { ...lock, url: 'x' }],
    ['two files of one name', { ...lock, files: [file, { ...file, path: 'org/other/thing/1.0/thing-1.0.jar' }] }],
  ])('with %s is refused', (_, value) => {
    expect(() => parse(value)).toThrow(/^thing\.lock\.json is not a lock file: .+\.$/);
  });

  test('that is not JSON is refused', () => {
    expect(() => parseLockFile('thing.lock.json', '<html>')).toThrow('thing.lock.json is not JSON.');
  });

  test('of other files has another digest', () => {
    const other = { ...lock, files: [{ ...file, sha256: 'b'.repeat(64) }] };
    expect(lockDigest(other)).not.toBe(lockDigest(lock));
  });
});

test.each([
  ['kafka', 'org.apache.kafka:kafka_2.13:4.1.0'],
  ['neo4j', 'org.neo4j:neo4j:5.26.30'],
  ['temporal-test-server', 'io.temporal:temporal-test-server:1.38.0'],
])('the committed lock of %s pins %s and holds its jar', (server, root) => {
  const { roots, files } = readLockFile(server);
  const [, artifact, version] = root.split(':');
  expect(roots).toContain(root);
  expect(files.some(({ path }) => path.endsWith(`/${artifact}-${version}.jar`))).toBe(true);
});
