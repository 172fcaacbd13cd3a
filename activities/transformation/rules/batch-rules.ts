import { LRUCache } from 'lru-cache';
import type { BatchRef } from '#domain/transformation/batch.ts';
import type { RuleSet } from '#domain/transformation/rules/rule-set.ts';
import type { RuleSetDefinition } from '#domain/transformation/rules/schema.ts';
import type { RawRecords } from '#platform/mongo/raw-records.ts';
import type { RuleSets } from '#platform/mongo/rule-sets.ts';
import type { RuleCompiler } from '#platform/rule-compiler.ts';

/** The rules that a batch is bound to since it landed; undefined when there are none. */
export type BatchRules = (ref: BatchRef) => Promise<RuleSet | undefined>;

/** A version of a tenant's rules, ready for use; undefined for version 0. */
export type RulesOf = (tenantId: string, version: number) => Promise<RuleSet | undefined>;

/** Versions at hand, over all tenants. A version never changes, so nothing of this ever grows stale. */
const versionsAtHand = 500;

export interface RulesDeps {
  ruleSets: Pick<RuleSets, 'get'>;
  compile: RuleCompiler;
}

/** Reads and compiles versions of rules, each once. */
export function rulesOf({ ruleSets, compile }: RulesDeps): RulesOf {
  const atHand = new LRUCache<string, RuleSet>({ max: versionsAtHand });
  return async (tenantId, version) => {
    if (version === 0) return undefined;
    const key = `${tenantId}:${version}`;
    const known = atHand.get(key);
    if (known !== undefined) return known;
    const document = await ruleSets.get(tenantId, version);
    if (document === undefined) throw new Error(`version ${version} of the rules of ${tenantId} is gone`);
    const rules = compile(tenantId, version, JSON.parse(document.definition) as RuleSetDefinition);
    atHand.set(key, rules);
    return rules;
  };
}

/** The rules of batches. A batch keeps the version that was active when it landed, also when it is tried again later. */
export function batchRules(rawRecords: Pick<RawRecords, 'batch'>, rules: RulesOf): BatchRules {
  return async ({ tenantId, batchId }) => {
    const batch = await rawRecords.batch(tenantId, batchId);
    return rules(tenantId, batch?.rules_version ?? 0);
  };
}
