/** A content as it comes, piece after piece. */
export type Bytes = AsyncIterable<Buffer>;

/** The pieces with the first at hand: empty only where there is nothing at all. */
export async function peeked(content: Bytes, atLeast: number): Promise<{ head: Buffer; content: Bytes }> {
  const iterator = content[Symbol.asyncIterator]();
  let head: Buffer = Buffer.alloc(0);
  let ended = false;
  while (head.length < atLeast && !ended) {
    const next = await iterator.next();
    ended = next.done === true;
    if (next.done !== true) head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  async function* again(): AsyncGenerator<Buffer> {
    try {
      if (head.length > 0) yield head;
      while (!ended) {
        const next = await iterator.next();
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  }
  return { head, content: again() };
}
