import { StackError } from './failure.ts';

/** The stacks that may stand side by side on one machine; each has its own ports, data and logs. */
export const STACK_NAMES = ['dev', 'test', 'chaos', 'bench'] as const;
export type StackName = (typeof STACK_NAMES)[number];

const BASE_PORTS = {
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
} as const;

export type PortName = keyof typeof BASE_PORTS;
export type Ports = Readonly<Record<PortName, number>>;

const STACK_OFFSETS: Readonly<Record<StackName, number>> = { dev: 0, test: 100, chaos: 200, bench: 300 };
/** An offset that moves a second checkout out of the way of all stacks of the first. */
export const SUGGESTED_OFFSET = 5000;

const HIGHEST_PORT = 65_535;

/**
 * Reads a stack's name.
 *
 * @throws {StackError} when there is no such stack.
 */
export function parseStackName(name: string): StackName {
  const known = STACK_NAMES.find((candidate) => candidate === name);
  if (known === undefined) {
    throw new StackError(`There is no stack named "${name}"; the stacks are ${STACK_NAMES.join(', ')}.`);
  }
  return known;
}

/**
 * Reads `LILY_PORT_OFFSET`, which moves every port of every stack.
 *
 * @throws {StackError} when it is not a whole number that keeps all ports in range.
 */
export function parsePortOffset(text: string): number {
  const offset = Number(text.trim() === '' ? 'nothing' : text);
  const lowest = Math.min(...Object.values(BASE_PORTS));
  const highest = Math.max(...Object.values(BASE_PORTS)) + Math.max(...Object.values(STACK_OFFSETS));
  if (!Number.isInteger(offset) || lowest + offset < 1024 || highest + offset > HIGHEST_PORT) {
    throw new StackError(
      `LILY_PORT_OFFSET must be a whole number between ${1024 - lowest} and ${HIGHEST_PORT - highest}, but it is "${text}".`,
    );
  }
  return offset;
}

/** The ports of one stack. Every stack adds its own distance to the base, and `offset` moves them all. */
export function planPorts(stack: StackName, offset = 0): Ports {
  const distance = STACK_OFFSETS[stack] + offset;
  return Object.fromEntries(Object.entries(BASE_PORTS).map(([name, port]) => [name, port + distance])) as Record<
    PortName,
    number
  >;
}
