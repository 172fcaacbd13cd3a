import type { Logger } from '../logger.ts';

export interface KafkaRecord {
  offset: number;
  key: string;
  value: Buffer;
  headers: Record<string, string>;
  /** Milliseconds since 1970. */
  timestamp: number;
}

/** What the owner of a lane does with its records. Both may be called again with the same records, after a crash or an error. */
export interface BatchHandler {
  /** Decides where the batch that begins with `first` ends; `last` is the last record that could be in it. */
  cut(partition: number, first: KafkaRecord, last: KafkaRecord): Promise<Cut>;
  /** Makes the batch durable and processes it. When this resolves, the batch's offsets are committed. */
  process(partition: number, name: string, records: KafkaRecord[]): Promise<void>;
}

export interface Cut {
  /** The batch's last offset. */
  to: number;
  /** What the batch is called, the same whenever it comes again. */
  name: string;
}

export interface LaneOptions {
  partition: number;
  handler: BatchHandler;
  commit: (nextOffset: number) => Promise<void>;
  batchRecords: number;
  logger: Logger;
}

/** Bytes of one batch, at most, unless its first record alone is larger: a step holds a batch in memory several times over. */
const batchBytes = 8 * 1024 * 1024;
/** Batches that may wait in a lane before Kafka is asked for no more: lag stays in Kafka, memory stays flat. */
const laneBatches = 3;
const firstRetryMs = 250;
const lastRetryMs = 15_000;
/** How long a lane waits for the rest of a batch that was cut before until it says so. */
const restOfBatchMs = 10_000;

/**
 * The records of one partition, in order, between Kafka and the pipeline. While a batch is under way new records gather,
 * so batches grow with the lag and are small when there is none. An error is tried again until it passes or the lane closes.
 */
export class PartitionLane {
  readonly #options: LaneOptions;
  #records: KafkaRecord[] = [];
  #bytes = 0;
  #closed = false;
  #running = false;
  #waitsForRest = false;
  #wake: (() => void) | undefined;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Whether enough waits, in records or in bytes. Never while the lane needs more to go on at all. */
  get isFull(): boolean {
    const limit = laneBatches * this.#options.batchRecords;
    return (this.#records.length > limit || this.#bytes > laneBatches * batchBytes) && !this.#waitsForRest;
  }

  add(records: KafkaRecord[]): void {
    for (const record of records) {
      this.#records.push(record);
      this.#bytes += record.value.length;
    }
    this.#wake?.();
    if (!this.#running) {
      this.#running = true;
      void this.#run();
    }
  }

  /** Drops what waits: it was not committed, so Kafka delivers it again to whoever owns the partition now. */
  close(): void {
    this.#closed = true;
    this.#records = [];
    this.#bytes = 0;
    this.#wake?.();
  }

  async #run(): Promise<void> {
    let delayMs = firstRetryMs;
    while (this.#records.length > 0 && !this.#closed) {
      try {
        await this.#processNext();
        delayMs = firstRetryMs;
      } catch (error) {
        if (this.#closed) break;
        this.#options.logger.warn(
          { err: error, partition: this.#options.partition, delayMs },
          'a batch is tried again',
        );
        await this.#sleep(delayMs);
        delayMs = Math.min(delayMs * 2, lastRetryMs);
      }
    }
    this.#running = false;
  }

  async #processNext(): Promise<void> {
    const { partition, handler } = this.#options;
    const first = this.#records[0];
    const last = this.#records[this.#countOfNext() - 1];
    if (first === undefined || last === undefined) return;
    const { to, name } = await handler.cut(partition, first, last);
    await this.#untilHas(to);
    const end = this.#records.findIndex((record) => record.offset > to);
    const batch = end === -1 ? this.#records.slice() : this.#records.slice(0, end);
    if (this.#closed || batch.length === 0) return;
    await handler.process(partition, name, batch);
    if (this.#closed) return;
    await this.#options.commit(to + 1);
    this.#records.splice(0, batch.length);
    for (const record of batch) this.#bytes -= record.value.length;
  }

  /** How many of the records at hand make the next batch, by number and by size. */
  #countOfNext(): number {
    const most = Math.min(this.#options.batchRecords, this.#records.length);
    let bytes = 0;
    for (let count = 0; count < most; count++) {
      bytes += this.#records[count]?.value.length ?? 0;
      if (bytes > batchBytes && count > 0) return count;
    }
    return most;
  }

  /**
   * A batch that was cut before a crash may be longer than what has been fetched since. It is never processed in part: its
   * workflow runs once, so the records that came later would be taken for done.
   */
  async #untilHas(offset: number): Promise<void> {
    const has = (): boolean => (this.#records.at(-1)?.offset ?? 0) >= offset;
    this.#waitsForRest = !has();
    for (let startedAt = Date.now(); !this.#closed && !has();) {
      await this.#sleep(restOfBatchMs);
      if (Date.now() - startedAt < restOfBatchMs) continue;
      const { logger, partition } = this.#options;
      logger.warn(
        { partition, at: this.#records.at(-1)?.offset, to: offset },
        'waiting for the rest of a batch that was cut before',
      );
      startedAt = Date.now();
    }
    this.#waitsForRest = false;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#wake = done;
    });
  }
}
