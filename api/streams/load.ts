/** What all clients together have unacknowledged on this instance: bounds memory where many of them are ahead at once. */
export class Load {
  readonly #heavyBytes: number;
  #bytes = 0;

  constructor(heavyBytes: number) {
    this.#heavyBytes = heavyBytes;
  }

  get isHeavy(): boolean {
    return this.#bytes >= this.#heavyBytes;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  remove(bytes: number): void {
    this.#bytes -= bytes;
  }
}
