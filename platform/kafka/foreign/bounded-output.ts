/** What a decompressor writes to and copies from: grows up to a bound, and never past it. */
export class BoundedOutput {
  readonly #maxBytes: number;
  #buffer: Buffer;
  #length = 0;

  constructor(maxBytes: number, expectedBytes: number) {
    this.#maxBytes = maxBytes;
    this.#buffer = Buffer.allocUnsafe(Math.min(Math.max(expectedBytes, 64), maxBytes));
  }

  get length(): number {
    return this.#length;
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  append(source: Buffer): void {
    this.#makeRoom(source.length);
    source.copy(this.#buffer, this.#length);
    this.#length += source.length;
  }

  /** Writes again what was written `distance` bytes ago; the two may overlap, and then repeat what lies between. */
  repeat(distance: number, count: number): void {
    if (distance < 1 || distance > this.#length) throw new Error('compressed data points before its beginning');
    this.#makeRoom(count);
    const from = this.#length - distance;
    if (distance >= count) this.#buffer.copyWithin(this.#length, from, from + count);
    else for (let at = 0; at < count; at += 1) this.#buffer[this.#length + at] = this.#buffer[from + at] ?? 0;
    this.#length += count;
  }

  #makeRoom(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#buffer.length) return;
    if (needed > this.#maxBytes) throw new Error(`compressed data is larger than ${this.#maxBytes} bytes`);
    const larger = Buffer.allocUnsafe(Math.min(Math.max(needed, this.#buffer.length * 2), this.#maxBytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** What is left of `source` from `at` on, if there is as much. @throws Error where there is less */
export function slice(source: Buffer, at: number, count: number): Buffer {
  if (count < 0 || at + count > source.length) throw new Error('compressed data ends too early');
  return source.subarray(at, at + count);
}
