const windowMs = 10_000;

/** Counts what happens, and says how often it did in the last ten seconds. */
export class RateMeter {
  #counts: { at: number; count: number }[] = [];

  add(count: number, now = Date.now()): void {
    if (count > 0) this.#counts.push({ at: now, count });
  }

  perSecond(now = Date.now()): number {
    this.#counts = this.#counts.filter(({ at }) => now - at < windowMs);
    const total = this.#counts.reduce((sum, { count }) => sum + count, 0);
    return Math.round((total / windowMs) * 10_000) / 10;
  }
}
