import { describe, expect, it, vi } from 'vitest';
import { createLogger } from '../logger.ts';
import { PartitionLane, type KafkaRecord } from './partition-lane.ts';

const logger = createLogger({ logLevel: 'silent', service: 'test' });

function recordsFrom(from: number, to: number): KafkaRecord[] {
  return Array.from({ length: to - from + 1 }, (_, index) => ({
    offset: from + index,
    key: '',
    value: Buffer.alloc(0),
    headers: {},
    timestamp: 0,
  }));
}

function lane(options: { batchRecords?: number; cut?: (from: number, to: number) => number } = {}) {
  const log: string[] = [];
  const gate = { open: Promise.resolve(), fail: 0 };
  const subject = new PartitionLane({
    partition: 0,
    batchRecords: options.batchRecords ?? 10,
    logger,
    commit: async (next) => void log.push(`commit ${next}`),
    handler: {
      cut: async (_partition, first, last) => ({
        to: options.cut?.(first.offset, last.offset) ?? last.offset,
        name: '',
      }),
      process: async (_partition, _name, records) => {
        await gate.open;
        if (gate.fail-- > 0) throw new Error('down');
        log.push(`process ${records[0]?.offset}-${records.at(-1)?.offset}`);
      },
    },
  });
  return { subject, log, gate };
}

describe('PartitionLane', () => {
  it('commits behind each batch, only after it was processed', async () => {
    const { subject, log } = lane();
    subject.add(recordsFrom(0, 24));
    await vi.waitFor(() => expect(log).toHaveLength(6));
    expect(log).toEqual(['process 0-9', 'commit 10', 'process 10-19', 'commit 20', 'process 20-24', 'commit 25']);
  });

  it('lets batches grow while one is under way', async () => {
    const { subject, log, gate } = lane();
    let open = (): void => {};
    gate.open = new Promise((resolve) => (open = resolve));
    subject.add(recordsFrom(0, 0));
    await new Promise((resolve) => setTimeout(resolve, 5));
    for (let offset = 1; offset <= 6; offset++) subject.add(recordsFrom(offset, offset));
    open();
    await vi.waitFor(() => expect(log).toHaveLength(4));
    expect(log).toEqual(['process 0-0', 'commit 1', 'process 1-6', 'commit 7']);
  });

  it('tries a batch again until it succeeds, and commits nothing before', async () => {
    const { subject, log, gate } = lane();
    gate.fail = 2;
    subject.add(recordsFrom(0, 3));
    await vi.waitFor(() => expect(log).toEqual(['process 0-3', 'commit 4']), { timeout: 5_000 });
  });

  it('cuts a batch where it was cut before a crash, and waits for the rest of it', async () => {
    const { subject, log } = lane({ cut: (from, to) => (from === 0 ? 5 : to) });
    subject.add(recordsFrom(0, 2));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(log).toEqual([]);
    subject.add(recordsFrom(3, 8));
    await vi.waitFor(() => expect(log).toHaveLength(4));
    expect(log).toEqual(['process 0-5', 'commit 6', 'process 6-8', 'commit 9']);
  });

  it('takes more than usual while it waits for the rest of a batch, and never processes a part of one', async () => {
    const { subject, log } = lane({ batchRecords: 1, cut: (from, to) => (from === 0 ? 9 : to) });
    subject.add(recordsFrom(0, 7));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(subject.isFull).toBe(false);
    subject.add(recordsFrom(8, 9));
    await vi.waitFor(() => expect(log).toEqual(['process 0-9', 'commit 10']));
  });

  it('bounds a batch by its bytes too, and takes a record that is larger alone', async () => {
    const { subject, log } = lane();
    const mebibytes = [3, 3, 3, 9, 1];
    subject.add(
      recordsFrom(0, 4).map((one, at) => ({ ...one, value: Buffer.alloc((mebibytes[at] ?? 0) * 1024 * 1024) })),
    );
    await vi.waitFor(() => expect(log).toHaveLength(8));
    expect(log.filter((line) => line.startsWith('process'))).toEqual([
      'process 0-1',
      'process 2-2',
      'process 3-3',
      'process 4-4',
    ]);
  });

  it('is full by records or by bytes, and empty again behind them', async () => {
    const { subject, log, gate } = lane();
    let open = (): void => {};
    gate.open = new Promise((resolve) => (open = resolve));
    subject.add(recordsFrom(0, 30));
    expect(subject.isFull).toBe(true);
    open();
    await vi.waitFor(() => expect(log.at(-1)).toBe('commit 31'));
    expect(subject.isFull).toBe(false);
    subject.add(recordsFrom(31, 34).map((one) => ({ ...one, value: Buffer.alloc(7 * 1024 * 1024) })));
    expect(subject.isFull).toBe(true);
    await vi.waitFor(() => expect(log.at(-1)).toBe('commit 35'));
    expect(subject.isFull).toBe(false);
  });

  it('commits nothing after it was closed: the partition may be somebody else’s', async () => {
    const { subject, log, gate } = lane();
    let open = (): void => {};
    gate.open = new Promise((resolve) => (open = resolve));
    subject.add(recordsFrom(0, 12));
    await new Promise((resolve) => setTimeout(resolve, 5));
    subject.close();
    open();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(log).toEqual(['process 0-9']);
  });
});
