/** Rules asked for more work on one record than is allowed. */
export class CostExceeded extends Error {
  override readonly name = 'CostExceeded';
}

/**
 * Counts the work that rules do, in units of about ten nanoseconds. Counting instead of looking at the clock makes the
 * limit the same on every machine: a record that passes once passes again, also after a crash.
 */
export class Meter {
  #left: number;
  /** One for all times: where errors are passed over, making them would be the work. */
  #exceeded: CostExceeded | undefined;

  constructor(units: number) {
    this.#left = units;
  }

  get left(): number {
    return this.#left;
  }

  /** @throws CostExceeded, from then on every time */
  spend(units: number): void {
    this.#left -= units;
    if (this.#left >= 0) return;
    throw (this.#exceeded ??= new CostExceeded('the rules cost more on this record than is allowed'));
  }

  /** @throws CostExceeded when more was spent than there was, also where somebody caught the error that said so */
  check(): void {
    this.spend(0);
  }
}
