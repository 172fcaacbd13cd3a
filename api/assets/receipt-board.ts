import type { Receipt } from '#domain/transformation/batch.ts';

/** Requests of this API instance that wait until their record is applied. */
export class ReceiptBoard {
  readonly #waiting = new Map<string, (receipt: Receipt) => void>();

  /**
   * Begins to wait for a record's receipt, so before the record is sent.
   * The promise gives undefined when time runs out; it never rejects.
   */
  expect(recordId: string, timeoutMs: number): Promise<Receipt | undefined> {
    return new Promise((resolve) => {
      const settle = (receipt: Receipt | undefined): void => {
        clearTimeout(timer);
        this.#waiting.delete(recordId);
        resolve(receipt);
      };
      const timer = setTimeout(() => settle(undefined), timeoutMs);
      this.#waiting.set(recordId, settle);
    });
  }

  /** Tells whoever waits; receipts that nobody waits for any more are dropped. */
  settle(receipt: Receipt): void {
    this.#waiting.get(receipt.recordId)?.(receipt);
  }
}
