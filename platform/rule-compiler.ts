import { createHmac, hkdfSync } from 'node:crypto';
import { RuleSet } from '#domain/transformation/rules/rule-set.ts';
import type { RuleSetDefinition } from '#domain/transformation/rules/schema.ts';
import { celCompiler } from './cel.ts';
import { LinearPattern } from './linear-pattern.ts';

/** Makes a tenant's definition ready for use. @throws RuleFault where it cannot be */
export type RuleCompiler = (tenantId: string, version: number, definition: RuleSetDefinition) => RuleSet;

/** @param secretKey the hashes of masked values depend on it, and on the tenant: equal values of two tenants differ */
export function ruleCompiler(secretKey: Uint8Array): RuleCompiler {
  const compile = celCompiler();
  const pattern = (source: string): LinearPattern => new LinearPattern(source);
  return (tenantId, version, { rules }) => {
    const key = Buffer.from(hkdfSync('sha256', secretKey, tenantId, 'lily transformation rules', 32));
    const hash = (text: string): string => createHmac('sha256', key).update(text).digest('hex').slice(0, 32);
    return new RuleSet(version, rules, { compile, pattern, hash });
  };
}
