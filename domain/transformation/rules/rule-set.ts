import type { Attributes, Json } from '../../assets/entity.ts';
import { ingestRecordSchema, type IngestRecord } from '../../assets/record.ts';
import { limits } from '../../limits.ts';
import type { Door } from '../batch.ts';
import { CostExceeded, Meter } from './meter.ts';
import { textMask, valueMask, type KeyedHash } from './mask.ts';
import { changeAt, changeTexts, parsePath, PathFault, valueAt, withValue } from './path.ts';
import { globSource, PatternFault, type Pattern, type PatternCompiler } from './pattern.ts';
import type { MaskRule, Rule, TagRule } from './schema.ts';

/** What expressions can name. */
export interface RuleContext {
  attributes: Attributes;
  statistics: Record<string, Json>;
  tags: string[];
  name: string;
  entity_type: string;
  qualified_name: string;
  source_id: string;
  door: string;
  op: string;
}

/** An expression ready for use. @throws ExpressionFault, CostExceeded */
export type Expression = (context: RuleContext, meter: Meter) => Json;

/** An expression cannot be compiled, or failed on a record. */
export class ExpressionFault extends Error {
  override readonly name = 'ExpressionFault';
}

export interface RuleTools {
  /** @throws ExpressionFault when the text is no expression of that kind */
  compile(text: string, kind: 'condition' | 'value'): Expression;
  pattern: PatternCompiler;
  hash: KeyedHash;
}

/** What became of one record. A record that a rule fails on is untouched by all of them. */
export type RuleOutcome =
  | { kind: 'kept'; record: IngestRecord; changedBy: RuleTrace[] }
  | { kind: 'dropped'; rule: string; changedBy: RuleTrace[] }
  | { kind: 'failed'; rule: string; detail: string; changedBy: RuleTrace[] };

export interface RuleTrace {
  rule: string;
  kind: Rule['kind'];
}

/** A fault in the definition, at a JSON pointer. */
export class RuleFault extends Error {
  override readonly name = 'RuleFault';
  readonly pointer: string;

  constructor(pointer: string, message: string) {
    super(message);
    this.pointer = pointer;
  }
}

interface CompiledRule {
  name: string;
  kind: Rule['kind'];
  types: Pattern[];
  when: Expression | undefined;
  /** The record afterwards: the same object when nothing changed, `'drop'` when it goes. */
  change(record: IngestRecord, context: () => RuleContext, meter: Meter): IngestRecord | 'drop';
}

/** An ordered set of rules, ready to be applied. The same record always gives the same outcome. */
export class RuleSet {
  readonly version: number;
  readonly #rules: CompiledRule[];

  /** @throws RuleFault */
  constructor(version: number, rules: readonly Rule[], tools: RuleTools) {
    this.version = version;
    this.#rules = rules.map((rule, index) => compileRule(rule, `/rules/${index}`, tools));
  }

  /** Applies the rules in their order to a valid record. Never throws. Deletions pass: they say nothing that a rule could change. */
  apply(record: IngestRecord, door: Door, meter = new Meter(limits.ruleUnitsPerRecord)): RuleOutcome {
    const changedBy: RuleTrace[] = [];
    if (record.op === 'delete') return { kind: 'kept', record, changedBy };
    let now = record;
    for (const rule of this.#rules) {
      try {
        const after = applyOne(rule, now, door, meter);
        if (after === 'drop') return { kind: 'dropped', rule: rule.name, changedBy };
        if (after !== now) changedBy.push({ rule: rule.name, kind: rule.kind });
        now = after;
      } catch (error) {
        return { kind: 'failed', rule: rule.name, detail: detailOf(error), changedBy };
      }
    }
    if (now === record) return { kind: 'kept', record, changedBy };
    const fault = addedFault(record, now);
    if (fault === undefined) return { kind: 'kept', record: now, changedBy };
    return { kind: 'failed', ...this.#firstToBreak(record, door, fault), changedBy };
  }

  /** The rule after which the record was no longer valid. Only looked for when it is not. */
  #firstToBreak(record: IngestRecord, door: Door, fault: string): { rule: string; detail: string } {
    const meter = new Meter(limits.ruleUnitsPerRecord);
    let now = record;
    for (const rule of this.#rules) {
      const after = applyOne(rule, now, door, meter);
      if (after === 'drop') break;
      const broken = after === now ? undefined : addedFault(record, after);
      if (broken !== undefined) return { rule: rule.name, detail: broken };
      now = after;
    }
    return { rule: this.#rules.at(-1)?.name ?? '', detail: fault };
  }
}

function applyOne(rule: CompiledRule, record: IngestRecord, door: Door, meter: Meter): IngestRecord | 'drop' {
  meter.spend(20);
  if (rule.types.length > 0 && !rule.types.some((type) => type.test(record.entity_type, meter))) return record;
  const context = (): RuleContext => contextOf(record, door);
  if (rule.when !== undefined && rule.when(context(), meter) !== true) return record;
  return rule.change(record, context, meter);
}

function contextOf(record: IngestRecord, door: Door): RuleContext {
  const attributes = attributesOf(record);
  return {
    attributes,
    statistics: record.statistics ?? {},
    tags: attributes.tags ?? [],
    // A record that merges need not repeat the name.
    name: attributes.name ?? '',
    entity_type: record.entity_type,
    qualified_name: record.qualified_name,
    source_id: record.source_id ?? '',
    door,
    op: record.op,
  };
}

function attributesOf(record: IngestRecord): Attributes {
  return (record.attributes ?? {}) as Attributes;
}

/** The attributes as JSON that paths lead into. */
function treeOf(record: IngestRecord): Json {
  return attributesOf(record) as Json;
}

function withAttributes(record: IngestRecord, attributes: Json): IngestRecord {
  return attributes === record.attributes ? record : { ...record, attributes: attributes as Attributes };
}

/** Why the record is not valid any more. What was wrong before is no fault of the rules: a job of an event may have more edges. */
function addedFault(before: IngestRecord, after: IngestRecord): string | undefined {
  const faults = faultsOf(after);
  if (faults.length === 0) return undefined;
  const known = new Set(faultsOf(before));
  return faults.find((fault) => !known.has(fault));
}

function faultsOf(record: IngestRecord): string[] {
  const issues = ingestRecordSchema.safeParse(record).error?.issues ?? [];
  const faults = issues.map(({ path, message }) => `it leaves ${path.join('.') || 'the record'} wrong: ${message}`);
  const bytes = JSON.stringify(record).length;
  if (bytes > limits.recordBytes) faults.push(`it makes the record larger than ${limits.recordBytes} bytes`);
  return faults;
}

function detailOf(error: unknown): string {
  if (error instanceof ExpressionFault || error instanceof PathFault || error instanceof CostExceeded) {
    return error.message;
  }
  return `an unexpected fault: ${error instanceof Error ? error.message : String(error)}`;
}

function compileRule(rule: Rule, pointer: string, tools: RuleTools): CompiledRule {
  const at = <T>(field: string, make: () => T): T => {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof ExpressionFault || error instanceof PatternFault)) throw error;
      throw new RuleFault(`${pointer}/${field}`, error.message);
    }
  };
  const { when } = rule;
  return {
    name: rule.name,
    kind: rule.kind,
    types: (rule.entity_types ?? []).map((glob) => tools.pattern(globSource(glob))),
    when: when === undefined ? undefined : at('when', () => tools.compile(when, 'condition')),
    change: changeOf(rule, at, tools),
  };
}

type At = <T>(field: string, make: () => T) => T;

function changeOf(rule: Rule, at: At, tools: RuleTools): CompiledRule['change'] {
  switch (rule.kind) {
    case 'rename':
      return renaming(rule.from, rule.to);
    case 'default':
      return (record) => {
        // What a merge leaves out stays as it is stored; it is not missing.
        if (record.op === 'merge') return record;
        const path = parsePath(rule.path);
        const present = valueAt(treeOf(record), path) ?? undefined;
        return present === undefined ? withAttributes(record, withValue(treeOf(record), path, rule.value)) : record;
      };
    case 'derive': {
      const expression = at('expression', () => tools.compile(rule.expression, 'value'));
      const path = parsePath(rule.path);
      return (record, context, meter) => {
        const value = expression(context(), meter);
        if (value === null || same(valueAt(treeOf(record), path), value)) return record;
        return withAttributes(record, withValue(treeOf(record), path, value));
      };
    }
    case 'mask':
      return masking(rule, at, tools);
    case 'tag':
      return tagging(rule, at, tools);
    case 'drop':
      return () => 'drop';
  }
}

function renaming(from: string, to: string): CompiledRule['change'] {
  const [source, target] = [parsePath(from), parsePath(to)];
  return (record) => {
    const attributes = treeOf(record);
    const value = valueAt(attributes, source);
    if (value === undefined) return record;
    if (valueAt(attributes, target) !== undefined) throw new PathFault(`there is a ${to} already`);
    return withAttributes(record, withValue(withValue(attributes, source, undefined), target, value));
  };
}

function masking(rule: MaskRule, at: At, { pattern: compile, hash }: RuleTools): CompiledRule['change'] {
  const path = rule.path === undefined ? [] : parsePath(rule.path);
  if (rule.pattern === undefined) {
    return (record, _context, meter) => {
      const mask = valueMask(rule, metered(hash, meter));
      return withAttributes(
        record,
        changeAt(treeOf(record), path, (value) => changed(value, mask(value))),
      );
    };
  }
  const pattern = at('pattern', () => maskable(compile(rule.pattern ?? '')));
  return (record, _context, meter) => {
    const mask = textMask(rule, metered(hash, meter));
    const maskTexts = (value: Json): Json => changeTexts(value, (text) => pattern.replaceAll(text, mask, meter));
    const masked = withAttributes(record, changeAt(treeOf(record), path, maskTexts));
    if (rule.path !== undefined || record.statistics === undefined) return masked;
    const statistics = maskTexts(record.statistics);
    return statistics === record.statistics ? masked : { ...masked, statistics: statistics as Record<string, Json> };
  };
}

/** About what a hash costs. */
const unitsPerHash = 150;

function metered(hash: KeyedHash, meter: Meter): KeyedHash {
  return (text) => {
    meter.spend(unitsPerHash + text.length / 16);
    return hash(text);
  };
}

function maskable(pattern: Pattern): Pattern {
  if (pattern.matchesNothing) throw new PatternFault('fits nothing at all too, so there would be nothing to mask');
  return pattern;
}

function tagging(rule: TagRule, at: At, { pattern: compile }: RuleTools): CompiledRule['change'] {
  const { glob, pattern: source, on = 'name', tags } = rule;
  const pattern =
    source !== undefined
      ? at('pattern', () => compile(source))
      : glob !== undefined
        ? compile(globSource(glob))
        : undefined;
  return (record, _context, meter) => {
    if (pattern !== undefined && !textsOf(record, on).some((text) => pattern.test(text, meter))) return record;
    const attributes = attributesOf(record);
    // The tags of a merge take the place of those that are stored.
    if (record.op === 'merge' && attributes.tags === undefined) return record;
    const present = new Set(attributes.tags ?? []);
    const missing = tags.filter((tag) => !present.has(tag));
    return missing.length === 0 ? record : withAttributes(record, { ...attributes, tags: [...present, ...missing] });
  };
}

/** What a pattern looks at: a text, or the texts of a list. */
function textsOf(record: IngestRecord, on: string): string[] {
  if (on === 'entity_type' || on === 'qualified_name') return [record[on]];
  const value = valueAt(treeOf(record), parsePath(on));
  const list = Array.isArray(value) ? value : [value];
  return list.filter((item) => typeof item === 'string');
}

/** The value before when the one after says the same, so that a change can be told by identity. */
function changed(before: Json, after: Json): Json {
  return same(before, after) ? before : after;
}

function same(left: Json | undefined, right: Json): boolean {
  return (
    left === right || (left !== undefined && typeof left === 'object' && JSON.stringify(left) === JSON.stringify(right))
  );
}
