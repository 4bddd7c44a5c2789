import { ExpectedError } from "./errors.ts";

export interface CoalescerOptions<Item> {
  /** Weight of one batch at most; an item that is heavier goes alone. */
  readonly maxBatch: number;
  /** No item is taken while this weight is waiting. */
  readonly maxWaiting: number;
  /** Batches under way at once; 1 when not given. Two keep the database busy while the answers of one are handed out. */
  readonly parallel?: number;
  /** Milliseconds from the start of a batch to that of the next at least: for requests that can wait. 0 when not given. */
  readonly everyMs?: number;
  /** What an item counts; 1 when not given. */
  readonly weigh?: (item: Item) => number;
  /**
   * Whether a failed batch may be run once more, item by item, so that one bad item fails alone. True only for failures
   * that left nothing done and that an item can be at fault for. Never, when not given.
   */
  readonly retrySingly?: (error: unknown) => boolean;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly weight: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Turns many single requests into few batches: while as many batches as allowed are under way, whatever comes in waits and
 * becomes the next one. Idle, a request goes out with what else this turn of the event loop brings: nothing is ever delayed
 * on purpose, unless `everyMs` says so.
 */
export class Coalescer<Item, Result> {
  readonly #run: (items: readonly Item[]) => Promise<readonly Result[]>;
  readonly #options: Required<CoalescerOptions<Item>>;
  #waiting: Waiting<Item, Result>[] = [];
  #waitingWeight = 0;
  #underWay = 0;
  #scheduled = false;
  #startedAt = -Infinity;

  /** @param run answers one result an item, in order. */
  constructor(run: (items: readonly Item[]) => Promise<readonly Result[]>, options: CoalescerOptions<Item>) {
    this.#run = run;
    this.#options = { parallel: 1, everyMs: 0, weigh: () => 1, retrySingly: () => false, ...options };
  }

  /** @throws ExpectedError `Unavailable` at once when too much is waiting: a quick no is better than a slow one. */
  add(item: Item): Promise<Result> {
    if (this.#waitingWeight >= this.#options.maxWaiting) return Promise.reject(new ExpectedError("Unavailable", "too many requests are waiting"));
    const weight = this.#options.weigh(item);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, weight, resolve, reject });
      this.#waitingWeight += weight;
      this.#schedule();
    });
  }

  /** After the sockets that are readable now have been read: their requests travel together. */
  #schedule(): void {
    if (this.#scheduled || this.#underWay >= this.#options.parallel || this.#waiting.length === 0) return;
    this.#scheduled = true;
    const start = () => {
      this.#scheduled = false;
      this.#startedAt = performance.now();
      void this.#runBatch(this.#take());
      this.#schedule();
    };
    const pause = this.#startedAt + this.#options.everyMs - performance.now();
    if (pause > 0) setTimeout(start, pause);
    else setImmediate(start);
  }

  /** The oldest, as many as fit: at least one. */
  #take(): readonly Waiting<Item, Result>[] {
    let weight = 0;
    const tooMany = this.#waiting.findIndex((waiting, index) => {
      weight += waiting.weight;
      return index > 0 && weight > this.#options.maxBatch;
    });
    const batch = this.#waiting.splice(0, tooMany === -1 ? this.#waiting.length : tooMany);
    this.#waitingWeight -= totalWeight(batch);
    return batch;
  }

  async #runBatch(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    this.#underWay += 1;
    try {
      await this.#settle(batch);
    } catch (error) {
      if (batch.length > 1 && this.#options.retrySingly(error)) await this.#settleSingly(batch);
      else rejectAll(batch, error);
    }
    this.#underWay -= 1;
    this.#schedule();
  }

  async #settle(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    const results = await this.#run(batch.map((waiting) => waiting.item));
    batch.forEach((waiting, index) => {
      const result = results[index];
      if (result === undefined) waiting.reject(new Error("a batch answered fewer results than it had items"));
      else waiting.resolve(result);
    });
  }

  /** One after the other: a batch must not become a crowd. What fails now for another reason than its item fails all the rest. */
  async #settleSingly(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    for (const [index, waiting] of batch.entries()) {
      try {
        await this.#settle([waiting]);
      } catch (error) {
        if (!this.#options.retrySingly(error)) {
          rejectAll(batch.slice(index), error);
          return;
        }
        waiting.reject(error);
      }
    }
  }
}

function totalWeight(batch: readonly { readonly weight: number }[]): number {
  return batch.reduce((sum, { weight }) => sum + weight, 0);
}

function rejectAll<Item, Result>(batch: readonly Waiting<Item, Result>[], error: unknown): void {
  for (const { reject } of batch) reject(error);
}
