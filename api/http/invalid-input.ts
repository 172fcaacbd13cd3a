import type { z } from 'zod';
import { LilyError } from '#domain/errors.ts';

/** One fault of a request: where, as a JSON pointer (or the name of a parameter), and what to mend. */
export interface FieldFault {
  field: string;
  detail: string;
}

const maxFaults = 20;

/** A request that lacks the documented form, with every fault listed (at most twenty). */
export class InvalidInput extends LilyError {
  readonly errors: readonly FieldFault[];

  constructor(detail: string, errors: readonly FieldFault[] = []) {
    super('invalid-input', detail, { field: errors[0]?.field });
    this.errors = errors.slice(0, maxFaults);
  }
}

/** The faults that a schema found, as an error. `where` names what was checked, as "body" or "query". */
export function invalidInput(error: z.ZodError, where: string): InvalidInput {
  const faults = error.issues.flatMap(faultsOf);
  const first = faults[0] ?? { field: '', detail: 'does not have the documented form' };
  const place = first.field === '' ? `The ${where}` : `${first.field} in the ${where}`;
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
  return new InvalidInput(`${place} ${asClause(first.detail)}${more}`, faults);
}

function faultsOf(issue: z.core.$ZodIssue): FieldFault[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ field: jsonPointer([...issue.path, key]), detail: 'is not a known field' }));
  }
  return [{ field: jsonPointer(issue.path), detail: wording(issue) }];
}

function wording(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) return 'is required';
  return issue.message.replace(/^Invalid input: e/, 'must be of another type: e');
}

/** Zod's own sentences begin with a capital; ours are clauses that follow the field's name. */
function asClause(message: string): string {
  return /^[A-Z]/.test(message) ? `is not right: ${message}` : message;
}

/** RFC 6901. */
export function jsonPointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
