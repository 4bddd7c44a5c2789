/**
 * Remembers what was worked out for each key, as long as everything that it follows from is the same in memory. Nothing that is
 * declared is ever changed in place, so the same object means the same content, and comparing costs a look at the addresses.
 */
export class Memo<T> {
  #before: ReadonlyMap<string, Remembered<T>> = new Map();
  #now = new Map<string, Remembered<T>>();

  /** @param inputs everything that `make` looks at, in a fixed order; of any number */
  value(key: string, inputs: readonly unknown[], make: (previous: T | undefined) => T): T {
    const known = this.#now.get(key) ?? this.#before.get(key);
    const entry = known !== undefined && sameItems(known.inputs, inputs) ? known : { inputs, value: make(known?.value) };
    this.#now.set(key, entry);
    return entry.value;
  }

  /** A round is over: what was not asked for in it is forgotten after the next one. */
  nextRound(): void {
    this.#before = this.#now;
    this.#now = new Map();
  }
}

interface Remembered<T> {
  readonly inputs: readonly unknown[];
  readonly value: T;
}

export function sameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, index) => Object.is(item, b[index]));
}

/** A list that stays the same object as long as its items are the same objects. */
export class StableList<T> {
  #last: readonly T[] = [];

  of(items: readonly T[]): readonly T[] {
    if (!sameItems(this.#last, items)) this.#last = items;
    return this.#last;
  }
}
