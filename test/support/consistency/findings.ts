/** One thing that is not as it must be. */
export interface Discrepancy {
  /** What kind of thing, in a few stable words: `lost record`, `wrong history`, … */
  kind: string;
  tenantId: string;
  /** The record, entity or node that it is about. */
  subject: string;
  detail: string;
}

/** Gathers discrepancies, and counts those of one kind beyond the first hundred instead of keeping them. */
export class Findings {
  readonly #kept: Discrepancy[] = [];
  readonly #counts = new Map<string, number>();
  readonly #tenantId: string;

  constructor(tenantId: string) {
    this.#tenantId = tenantId;
  }

  add(kind: string, subject: string, detail: string): void {
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    if (count <= 100) this.#kept.push({ kind, tenantId: this.#tenantId, subject, detail });
  }

  /** Every discrepancy, with one line for those of a kind that were only counted. */
  all(): Discrepancy[] {
    const more = [...this.#counts].flatMap(([kind, count]) =>
      count > 100 ? [{ kind, tenantId: this.#tenantId, subject: `${count - 100} more`, detail: 'not listed' }] : [],
    );
    return [...this.#kept, ...more];
  }
}
