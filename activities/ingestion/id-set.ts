/**
 * A set of metadata ids in 8 to 22 bytes an id, to hold what a crawl of millions has seen. It keeps the first 60 bits of the
 * digest in each id. Two ids that agree in them count as one, which among a million of them is to be expected once in two
 * million crawls; for its purpose that errs on the safe side, because what was seen is not deleted.
 */
export class IdSet {
  /** Two numbers a slot; the second is never 0 in one that is taken. */
  #slots = new Uint32Array(1 << 12);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(id: string): void {
    if (this.#size * 8 > this.#slots.length * 3) this.#grow();
    if (insert(this.#slots, upperBits(id), lowerBits(id))) this.#size += 1;
  }

  has(id: string): boolean {
    const slot = slotOf(this.#slots, upperBits(id), lowerBits(id));
    return this.#slots[slot + 1] !== 0;
  }

  #grow(): void {
    const [old, larger] = [this.#slots, new Uint32Array(this.#slots.length * 2)];
    for (let slot = 0; slot < old.length; slot += 2) {
      const lower = old[slot + 1] ?? 0;
      if (lower !== 0) insert(larger, old[slot] ?? 0, lower);
    }
    this.#slots = larger;
  }
}

function upperBits(id: string): number {
  return Number.parseInt(id.slice(0, 8), 16);
}

/** 28 bits from both sides of the digit that says the id's version, and a mark. */
function lowerBits(id: string): number {
  return Number.parseInt(`1${id.slice(9, 13)}${id.slice(15, 18)}`, 16);
}

function insert(slots: Uint32Array, upper: number, lower: number): boolean {
  const slot = slotOf(slots, upper, lower);
  if (slots[slot + 1] !== 0) return false;
  slots[slot] = upper;
  slots[slot + 1] = lower;
  return true;
}

/** Where the id is, or the empty slot where it belongs. The bits are of a digest, and as good as any hash. */
function slotOf(slots: Uint32Array, upper: number, lower: number): number {
  const mask = slots.length - 2;
  let slot = (upper << 1) & mask;
  while (slots[slot + 1] !== 0 && (slots[slot] !== upper || slots[slot + 1] !== lower)) slot = (slot + 2) & mask;
  return slot;
}
