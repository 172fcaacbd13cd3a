/**
 * A set of metadata ids in 16 bytes an id or less, to hold what a crawl of millions has seen. It keeps the first 60 bits of
 * the digest in each id. Two ids that agree in them count as one, once in 10^12 pairs of a crawl of a million at the most;
 * for its purpose that errs on the safe side, because what was seen is not deleted.
 */
export class IdSet {
  #slots = new BigUint64Array(1 << 12);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(id: string): void {
    if (this.#size * 4 > this.#slots.length * 3) this.#grow();
    if (insert(this.#slots, keyOf(id))) this.#size += 1;
  }

  has(id: string): boolean {
    const key = keyOf(id);
    return this.#slots[slotOf(this.#slots, key)] === key;
  }

  #grow(): void {
    const larger = new BigUint64Array(this.#slots.length * 2);
    for (const key of this.#slots) if (key !== 0n) insert(larger, key);
    this.#slots = larger;
  }
}

/** The first 64 bits of the id without the four that say its version. Zero marks an empty slot. */
function keyOf(id: string): bigint {
  const digits = id.slice(0, 8) + id.slice(9, 13) + id.slice(15, 18);
  return BigInt(`0x${digits}`) | (1n << 63n);
}

function insert(slots: BigUint64Array, key: bigint): boolean {
  const slot = slotOf(slots, key);
  if (slots[slot] === key) return false;
  slots[slot] = key;
  return true;
}

/** Where the key is, or the empty slot where it belongs. The keys are digests: their low bits are as good as any hash. */
function slotOf(slots: BigUint64Array, key: bigint): number {
  const mask = slots.length - 1;
  let slot = Number(key & BigInt(mask));
  while (slots[slot] !== 0n && slots[slot] !== key) slot = (slot + 1) & mask;
  return slot;
}
