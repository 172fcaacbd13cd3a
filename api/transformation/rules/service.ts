import type { Principal } from '#domain/access/principal.ts';
import { LilyError } from '#domain/errors.ts';
import { givenRecord, runExamples, type ExampleResult } from '#domain/transformation/rules/examples.ts';
import { RuleFault, type RuleSet } from '#domain/transformation/rules/rule-set.ts';
import type { RuleSetDefinition } from '#domain/transformation/rules/schema.ts';
import type { DeadLetters } from '#platform/mongo/dead-letters.ts';
import type { RawRecords } from '#platform/mongo/raw-records.ts';
import type { RuleSetDoc, RuleSets } from '#platform/mongo/rule-sets.ts';
import type { RuleCompiler } from '#platform/rule-compiler.ts';
import { InvalidInput } from '../../http/invalid-input.ts';
import { inTime } from '../../http/outage.ts';
import type { RuleTrial, TryRules } from './schemas.ts';
import { tryRules, type Candidate } from './trial.ts';

export interface RuleServiceDeps {
  ruleSets: RuleSets;
  compile: RuleCompiler;
  rawRecords: Pick<RawRecords, 'newest' | 'records'>;
  deadLetters: Pick<DeadLetters, 'list'>;
}

/** Drafts, tries and switches on a tenant's transformation rules. */
export class RuleService {
  readonly #deps: RuleServiceDeps;

  constructor(deps: RuleServiceDeps) {
    this.#deps = deps;
  }

  /** Keeps a whole set as a new version; nothing is switched on. @throws InvalidInput naming the rule that cannot be compiled */
  async draft({ tenantId, userId }: Principal, definition: RuleSetDefinition): Promise<RuleSetDoc> {
    try {
      this.#deps.compile(tenantId, 0, definition);
    } catch (error) {
      if (!(error instanceof RuleFault)) throw error;
      throw new InvalidInput(`${error.pointer} in the body ${error.message}`, [
        { field: error.pointer, detail: error.message },
      ]);
    }
    return inTime('MongoDB', this.#deps.ruleSets.add(tenantId, definition, userId));
  }

  /** @throws LilyError `not-found` */
  async get(tenantId: string, version: number): Promise<RuleSetDoc> {
    const found = await inTime('MongoDB', this.#deps.ruleSets.get(tenantId, version));
    if (found === undefined) throw new LilyError('not-found', 'There is no such version.');
    return found;
  }

  /** Tries a version on its own examples, and on records of the request or of the past. */
  async try(tenantId: string, version: number, { records = [], sample }: TryRules): Promise<RuleTrial> {
    const { rules, tests } = await this.#compiled(tenantId, version);
    const given = records.map((record): Candidate => ({ door: 'rest', body: { value: givenRecord(record) } }));
    const sampled = sample === undefined ? [] : await inTime('MongoDB', this.#sample(tenantId, sample));
    const results = await tryRules(rules, [...given, ...sampled]);
    const counts = { unchanged: 0, changed: 0, dropped: 0, failed: 0, invalid: 0 };
    for (const { outcome } of results) counts[outcome] += 1;
    return { passed: tests.every(({ passed }) => passed), tests, counts, results };
  }

  /** Switches a version on, an older one too. @throws LilyError `conflict` unless it carries examples and they all hold */
  async activate({ tenantId, userId }: Principal, version: number): Promise<RuleSetDoc> {
    const { document, definition, tests } = await this.#compiled(tenantId, version);
    if (definition.rules.length > 0 && tests.length === 0) {
      throw new LilyError('conflict', 'The version carries no tests. Give it examples of what it must do.');
    }
    const failing = tests.filter(({ passed }) => !passed);
    if (failing.length > 0) {
      const [first] = failing;
      const others = failing.length === 1 ? '' : `, and ${failing.length - 1} more`;
      throw new LilyError('conflict', `A test fails: ${first?.name}: ${first?.detail}${others}.`);
    }
    await inTime('MongoDB', this.#deps.ruleSets.activate(tenantId, version, userId));
    return document;
  }

  async #compiled(
    tenantId: string,
    version: number,
  ): Promise<{ document: RuleSetDoc; definition: RuleSetDefinition; rules: RuleSet; tests: ExampleResult[] }> {
    const document = await this.get(tenantId, version);
    const definition = JSON.parse(document.definition) as RuleSetDefinition;
    const rules = this.#deps.compile(tenantId, version, definition);
    return { document, definition, rules, tests: runExamples(rules, definition.tests) };
  }

  async #sample(tenantId: string, sample: NonNullable<TryRules['sample']>): Promise<Candidate[]> {
    const { from, limit, door, reason } = sample;
    const { rawRecords, deadLetters } = this.#deps;
    if (from === 'raw-records') {
      const newest = await rawRecords.newest(tenantId, { door, limit });
      return newest.map(({ _id, door: cameThrough, body }) => ({
        recordId: _id,
        door: cameThrough,
        body: { text: body },
      }));
    }
    const letters = await deadLetters.list(tenantId, { door, reason, limit });
    const raws = await rawRecords.records(
      tenantId,
      letters.map(({ record_id }) => record_id),
    );
    return letters.flatMap(({ record_id, mended }): Candidate[] => {
      const raw = raws.get(record_id);
      if (raw === undefined) return [];
      return [{ recordId: record_id, door: raw.door, body: { text: mended?.body ?? raw.body } }];
    });
  }
}
