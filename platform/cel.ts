import { Environment, type ParseResult } from '@marcbachmann/cel-js';
import type { Json } from '#domain/assets/entity.ts';
import { limits } from '#domain/limits.ts';
import { CostExceeded, Meter } from '#domain/transformation/rules/meter.ts';
import type { Pattern } from '#domain/transformation/rules/pattern.ts';
import { ExpressionFault, type Expression, type RuleContext } from '#domain/transformation/rules/rule-set.ts';
import { LinearPattern } from './linear-pattern.ts';

/** A node of the library's syntax tree: evaluated by a method of its own, so that is where work can be counted. */
interface Node {
  op: string;
  args: unknown;
  evaluate: (evaluator: unknown, node: Node, context: unknown) => unknown;
}

const functions = new Set(['has', 'size', 'string', 'int', 'double', 'bool', 'dyn', 'type']);
const methods = new Set(
  'startsWith endsWith contains matches lowerAscii upperAscii trim indexOf lastIndexOf substring split join size all exists exists_one map filter'.split(
    ' ',
  ),
);
/** What `matches` becomes: the library's own would hand a tenant's expression to a matcher that can take exponential time. */
const linearMatches = 'matchesInLinearTime';
/** What `join` becomes: the library's own would build a text before anybody has counted it. */
const countedJoin = 'joinCounted';
/** These go through all of what they are given, whatever the size of their answer. */
const walking = new Set('size split join contains indexOf lastIndexOf all exists exists_one map filter'.split(' '));

const comparisons = new Set(['==', '!=', 'in']);

const mostNodes = 300;
const deepest = 24;
/** Characters, or items of a list, whose handling counts as one unit of work. */
const perUnit = 32;
const unitsPerNode = 4;
/** An error has a stack and a text; loops that pass errors over would make one for each item. */
const unitsPerError = 200;
/** Looking at each key of a map, in the characters that take as long. */
const charactersPerKey = 16 * perUnit;

/**
 * Compiles CEL expressions whose work is counted while they are evaluated: each step, and the size of what it makes. The
 * library bounds an expression's form, not its time, and loops over lists may stand inside each other.
 */
export function celCompiler(): (text: string, kind: 'condition' | 'value') => Expression {
  let patterns = new Map<string, Pattern>();
  let meter = new Meter(0);
  const environment = new Environment({
    homogeneousAggregateLiterals: false,
    limits: {
      maxAstNodes: mostNodes,
      maxDepth: deepest,
      maxListElements: 100,
      maxMapEntries: 100,
      maxCallArguments: 4,
    },
  })
    .registerVariable('attributes', 'map')
    .registerVariable('statistics', 'map')
    .registerVariable('tags', 'list<string>')
    .registerFunction(`string.${linearMatches}(string): bool`, (text: string, source: string) => {
      const pattern = patterns.get(source);
      if (pattern === undefined) throw new ExpressionFault('matches() takes its pattern as a literal text');
      return pattern.test(text, meter);
    })
    .registerFunction(`list<string>.${countedJoin}(string): string`, (items: unknown[], separator: string) => {
      meter.spend((items.length * separator.length) / perUnit);
      for (const item of items) {
        if (typeof item !== 'string') throw new ExpressionFault('join() takes a list of texts');
        meter.spend(item.length / perUnit);
      }
      return items.join(separator);
    });
  for (const name of ['name', 'entity_type', 'qualified_name', 'source_id', 'door', 'op']) {
    environment.registerVariable(name, 'string');
  }

  const metered = (node: Node, sizeOf: (value: unknown) => number): void => {
    let inner = node.evaluate;
    let known = false;
    const evaluate: Node['evaluate'] = (evaluator, self, context) => {
      // The library's first call only looks up how the node is evaluated, and comes back here.
      if (!known) {
        known = true;
        return inner.call(node, evaluator, self, context);
      }
      // `exists` and `all` go on behind an error, also behind the one that says that there is no work left.
      meter.check();
      let value: unknown;
      try {
        value = inner.call(node, evaluator, self, context);
      } catch (error) {
        meter.spend(unitsPerError);
        throw error;
      }
      meter.spend(unitsPerNode + sizeOf(value) / perUnit);
      return value;
    };
    Object.defineProperty(node, 'evaluate', {
      get: () => evaluate,
      set: (found: Node['evaluate']) => {
        inner = found;
      },
    });
  };

  return (text, kind) => {
    const parsed = parse(environment, text);
    const nodes = [...nodesOf(parsed.ast)];
    const compared = new Set(nodes.flatMap((node) => (comparisons.has(node.op) ? (node.args as Node[]) : [])));
    const walked = new Set(nodes.flatMap(walkedBy));
    const own = new Map<string, Pattern>();
    for (const node of nodes) {
      checkCall(node, own);
      metered(node, compared.has(node) ? wholeSizeOf : walked.has(node) ? walkedSizeOf : sizeOf);
    }
    const { valid, type, error } = parsed.check();
    if (!valid) throw fault(error);
    if (kind === 'condition' && type !== 'bool' && type !== 'dyn') {
      throw new ExpressionFault(`is of type ${type ?? 'unknown'}; a condition must be true or false`);
    }
    return (context, budget) => {
      meter = budget;
      patterns = own;
      const value = evaluate(parsed, context, budget);
      if (kind === 'value') return output(value);
      if (typeof value !== 'boolean') throw new ExpressionFault('the condition is neither true nor false');
      return value;
    };
  };
}

function parse(environment: Environment, text: string): ParseResult {
  try {
    return environment.parse(text);
  } catch (error) {
    throw fault(error);
  }
}

function evaluate(parsed: ParseResult, context: RuleContext, budget: Meter): unknown {
  try {
    const value: unknown = parsed(context);
    // `||`, `&&` and the macros pass errors over; that there is no work left is none that they may.
    budget.check();
    return value;
  } catch (error) {
    if (error instanceof CostExceeded) throw error;
    budget.check();
    if ((error as { code?: unknown }).code === 'unsupported_type' && !(context.attributes instanceof Map)) {
      return evaluate(parsed, asMaps(context), budget);
    }
    throw fault(error);
  }
}

/** The library takes an object with a key named `constructor` for one of a foreign class; a Map is always a map. */
function asMaps(context: RuleContext): RuleContext {
  const convert = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(convert);
    if (typeof value !== 'object' || value === null) return value;
    return new Map(Object.entries(value).map(([key, inner]) => [key, convert(inner)]));
  };
  return {
    ...context,
    attributes: convert(context.attributes) as RuleContext['attributes'],
    statistics: convert(context.statistics) as RuleContext['statistics'],
  };
}

function* nodesOf(value: unknown): Generator<Node> {
  if (Array.isArray(value)) {
    for (const item of value) yield* nodesOf(item);
  } else if (typeof value === 'object' && value !== null && 'op' in value && 'args' in value) {
    yield value as Node;
    yield* nodesOf(value.args);
  }
}

/** Lets through only what is known to take time in proportion to its operands, and prepares patterns. */
function checkCall(node: Node, patterns: Map<string, Pattern>): void {
  if (node.op !== 'call' && node.op !== 'rcall') return;
  const args = node.args as [string, ...unknown[]];
  const [name] = args;
  if (!(node.op === 'call' ? functions : methods).has(name)) {
    throw new ExpressionFault(`${name}() is not possible here`);
  }
  if (name === 'join') {
    args[0] = countedJoin;
    const given = args[2] as unknown[];
    if (given.length === 0) throw new ExpressionFault('join() takes the text to put between');
  }
  if (name !== 'matches') return;
  const [pattern] = (args[2] ?? []) as Node[];
  if (pattern?.op !== 'value' || typeof pattern.args !== 'string') {
    throw new ExpressionFault('matches() takes its pattern as a literal text');
  }
  patterns.set(pattern.args, new LinearPattern(pattern.args));
  args[0] = linearMatches;
}

/** The operands that a call goes through. */
function walkedBy({ op, args }: Node): Node[] {
  if (op !== 'call' && op !== 'rcall') return [];
  const [name, ...operands] = args as [string, ...(Node | Node[])[]];
  return walking.has(name) ? operands.flat() : [];
}

function sizeOf(value: unknown): number {
  return typeof value === 'string' || Array.isArray(value) ? value.length : 1;
}

/** Going through items, or through characters for places, takes longer than handing them on. */
function walkedSizeOf(value: unknown): number {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 8 * sizeOf(value);
  return 8 + charactersPerKey * (value instanceof Map ? value.size : Object.keys(value).length);
}

/** The size with all that is inside: comparing looks at it all. */
function wholeSizeOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return sizeOf(value);
  const inner: unknown[] = value instanceof Map ? [...value.values()] : Object.values(value);
  const each = Array.isArray(value) ? 4 * perUnit : charactersPerKey;
  return inner.reduce((size: number, item) => size + each + wholeSizeOf(item), 8);
}

/** What an expression made, as JSON. @throws ExpressionFault for what JSON cannot say, or too much of it */
function output(value: unknown): Json {
  const json = asJson(value, 0);
  if (JSON.stringify(json).length > limits.ruleOutputBytes) {
    throw new ExpressionFault(`makes more than ${limits.ruleOutputBytes} bytes`);
  }
  return json;
}

function asJson(value: unknown, depth: number): Json {
  if (depth > limits.attributeDepth) throw new ExpressionFault('makes something that is nested too deep');
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (typeof value === 'bigint' && BigInt(Number(value)) === value) return Number(value);
  if (Array.isArray(value)) return value.map((item) => asJson(item, depth + 1));
  if (value instanceof Map) return fromEntries([...value.entries()], depth);
  if (typeof value === 'object' && [Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null)) {
    return fromEntries(Object.entries(value), depth);
  }
  throw new ExpressionFault('makes something that is no JSON');
}

function fromEntries(entries: [unknown, unknown][], depth: number): Json {
  return Object.fromEntries(entries.map(([key, item]) => [String(key), asJson(item, depth + 1)]));
}

function fault(error: unknown): ExpressionFault {
  const { summary, message } = error as { summary?: string; message?: string };
  return new ExpressionFault((summary ?? message ?? String(error)).slice(0, 500));
}
