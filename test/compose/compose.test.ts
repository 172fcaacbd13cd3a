import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { environmentNames, loadConfig } from '#platform/config.ts';
import { schemaFaults } from './schema-faults.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const OWN = ['setup', 'worker', 'api'] as const;

const serviceSchema = z.looseObject({
  image: z.string(),
  command: z.array(z.string()).optional(),
  build: z.looseObject({ context: z.string(), dockerfile: z.string() }).optional(),
  environment: z.record(z.string(), z.string()).default({}),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.looseObject({ test: z.array(z.string()) }).optional(),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  restart: z.string(),
});

function readCompose(): unknown {
  return parse(readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8'), { merge: true });
}

const raw = readCompose();
const compose = z
  .looseObject({ services: z.record(z.string(), serviceSchema), volumes: z.record(z.string(), z.unknown()) })
  .parse(raw);
const services = Object.entries(compose.services);

/** What Compose makes of `${NAME:-default}` when nothing is set. */
function withDefaults(value: string): string {
  return value.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1');
}

describe('the schema', () => {
  test('accepts docker-compose.yml', () => {
    expect(schemaFaults(raw)).toEqual([]);
  });

  test.each([
    ['an unknown key', { services: { a: { image: 'a:1', imagee: 'b' } } }],
    ['a condition that does not exist', { services: { a: { image: 'a:1', depends_on: { b: { condition: 'up' } } } } }],
    ['ports that are no list', { services: { a: { image: 'a:1', ports: '80:80' } } }],
  ])('refuses %s', (_, faulty) => {
    expect(schemaFaults(faulty)).not.toEqual([]);
  });
});

describe('the services', () => {
  test('are the whole system', () => {
    expect(Object.keys(compose.services)).toEqual(
      expect.arrayContaining(['postgresql', 'temporal', 'temporal-ui', 'kafka', 'mongo', 'neo4j', 'keycloak', ...OWN]),
    );
  });

  test.each(services)('%s runs an image that is pinned to a version', (_, { image }) => {
    expect(image).toMatch(/^[\w./-]+:v?\d+\.\d+[\w.-]*$/);
  });

  test.each(services)('%s depends only on what exists, in a way that can come true', (_, service) => {
    for (const [other, { condition }] of Object.entries(service.depends_on)) {
      const target = compose.services[other];
      expect(target, other).toBeDefined();
      if (condition === 'service_healthy') expect(target?.healthcheck, other).toBeDefined();
      if (condition === 'service_completed_successfully') expect(target?.restart, other).toMatch(/^on-failure/);
    }
  });

  test.each(services)('%s publishes its ports on the loopback interface only', (_, { ports }) => {
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  test('publish no port twice', () => {
    const published = services.flatMap(([, { ports }]) => ports.map((port) => port.split(':')[1]));
    expect(new Set(published).size).toBe(published.length);
  });

  test.each(services)('%s mounts what exists', (_, { volumes }) => {
    for (const volume of volumes) {
      const [source = ''] = volume.split(':');
      if (source.startsWith('.')) expect(existsSync(join(ROOT, source)), source).toBe(true);
      else expect(Object.keys(compose.volumes)).toContain(source);
    }
  });

  test('do not wait for each other in a circle', () => {
    const visit = (name: string, path: readonly string[]): void => {
      expect(path, [...path, name].join(' -> ')).not.toContain(name);
      for (const other of Object.keys(compose.services[name]?.depends_on ?? {})) visit(other, [...path, name]);
    };
    for (const [name] of services) visit(name, []);
  });
});

describe("Lily's own services", () => {
  test.each(OWN)('%s is given exactly the variables that the configuration knows', (name) => {
    const given = Object.keys(compose.services[name]?.environment ?? {});
    expect(given.toSorted()).toEqual([...environmentNames].toSorted());
  });

  test.each(OWN)('%s starts with the defaults', (name) => {
    const given = Object.entries(compose.services[name]?.environment ?? {});
    const environment = Object.fromEntries(given.map(([key, value]) => [key, withDefaults(value)]));
    expect(() => loadConfig(environment)).not.toThrow();
  });

  test.each(OWN)('%s runs a file that the image holds', (name) => {
    const { build, command = [] } = compose.services[name] ?? {};
    const [entry = ''] = command;
    expect(existsSync(join(ROOT, entry)), entry).toBe(true);
    const dockerfile = readFileSync(join(ROOT, build?.dockerfile ?? ''), 'utf8');
    const copied = [...dockerfile.matchAll(/^COPY (?!--)(\S+) /gm)].map(([, source]) => source);
    expect(copied.some((source) => source === entry || entry.startsWith(`${source}/`))).toBe(true);
  });

  test('the image runs a pinned Node of the version that the project asks for, and not as root', () => {
    const dockerfile = readFileSync(join(ROOT, 'deploy/docker/Dockerfile'), 'utf8');
    const images = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
    for (const image of images) expect(image).toMatch(/^node:24\.\d+\.\d+-slim$/);
    expect(new Set(images).size).toBe(1);
    expect(dockerfile).toMatch(/^USER node$/m);
  });
});

describe('the Keycloak realm', () => {
  const realmSchema = z.looseObject({
    realm: z.literal('lily'),
    roles: z.object({ realm: z.array(z.looseObject({ name: z.string() })) }),
    clients: z.array(
      z.looseObject({ protocolMappers: z.array(z.looseObject({ config: z.record(z.string(), z.string()) })) }),
    ),
    users: z.array(
      z.looseObject({ attributes: z.object({ tenant: z.array(z.string()) }), realmRoles: z.array(z.string()) }),
    ),
  });
  const realm = realmSchema.parse(
    JSON.parse(readFileSync(join(ROOT, 'deploy/docker/keycloak/lily-realm.json'), 'utf8')),
  );

  test('gives tokens the audience, tenant and roles that Lily asks for', () => {
    const mappers = realm.clients.flatMap((client) => client.protocolMappers.map((mapper) => mapper.config));
    expect(mappers).toContainEqual(expect.objectContaining({ 'included.custom.audience': 'lily' }));
    expect(mappers).toContainEqual(expect.objectContaining({ 'claim.name': 'tenant' }));
    expect(mappers).toContainEqual(expect.objectContaining({ 'claim.name': 'roles', multivalued: 'true' }));
  });

  test('has people of several tenants, with roles that exist', () => {
    const roles = realm.roles.realm.map((role) => role.name);
    expect(roles).toEqual(['reader', 'editor', 'operator', 'admin']);
    for (const user of realm.users) expect(roles).toEqual(expect.arrayContaining(user.realmRoles));
    expect(new Set(realm.users.flatMap((user) => user.attributes.tenant)).size).toBeGreaterThan(1);
  });
});
