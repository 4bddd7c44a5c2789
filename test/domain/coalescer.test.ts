import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { Coalescer, type CoalescerOptions } from "../../src/domain/coalescer.ts";

/** Runs batches when told to; remembers what each held. */
class Runs {
  readonly batches: string[][] = [];
  readonly #ends: { resolve: (results: string[]) => void; reject: (error: unknown) => void }[] = [];

  readonly run = (items: readonly string[]): Promise<readonly string[]> => {
    this.batches.push([...items]);
    return new Promise((resolve, reject) => this.#ends.push({ resolve, reject }));
  };
  async succeed(batch: number): Promise<void> {
    this.#ends[batch]!.resolve(this.batches[batch]!.map(answerTo));
    await turn();
  }
  async fail(batch: number, error: Error): Promise<void> {
    this.#ends[batch]!.reject(error);
    await turn();
  }
}

const answerTo = (item: string) => `answer to ${item}`;
const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 2));
const BAD_ITEM = new Error("a bad item");
const DISCONNECTED = new Error("disconnected");

function start(options: Partial<CoalescerOptions<string>> = {}) {
  const runs = new Runs();
  const coalescer = new Coalescer(runs.run, { maxBatch: 3, maxWaiting: 100, ...options });
  const outcomes: Record<string, string> = {};
  const add = (...items: string[]) => {
    for (const item of items) {
      coalescer.add(item).then(
        (answer) => (outcomes[item] = answer),
        (error: unknown) => (outcomes[item] = (error as Error).message),
      );
    }
    return turn();
  };
  return { runs, coalescer, outcomes, add };
}

describe("batches", () => {
  it("hold what came in the same turn, and later what came meanwhile, in order", async () => {
    const { runs, add, outcomes } = start();
    await add("a", "b");
    await add("c");
    await add("d", "e", "f");
    expect(runs.batches).toEqual([["a", "b"]]);
    await runs.succeed(0);
    expect(runs.batches).toEqual([["a", "b"], ["c", "d", "e"]]);
    expect(outcomes).toEqual({ a: "answer to a", b: "answer to b" });
    await runs.succeed(1);
    await runs.succeed(2);
    expect(runs.batches[2]).toEqual(["f"]);
    expect(Object.keys(outcomes)).toEqual(["a", "b", "c", "d", "e", "f"]);
  });

  it("run side by side up to `parallel`, and the one that ends first makes room first", async () => {
    const { runs, add, outcomes } = start({ parallel: 2 });
    await add("a");
    await add("b");
    await add("c", "d");
    expect(runs.batches).toEqual([["a"], ["b"]]);
    await runs.succeed(1);
    expect(outcomes).toEqual({ b: "answer to b" });
    expect(runs.batches).toEqual([["a"], ["b"], ["c", "d"]]);
    await runs.succeed(2);
    await runs.succeed(0);
    expect(outcomes).toMatchObject({ a: "answer to a", c: "answer to c", d: "answer to d" });
  });

  it("fill the free places at once when more waits than one holds", async () => {
    const { runs, add } = start({ parallel: 2 });
    await add("a", "b", "c", "d", "e", "f", "g");
    expect(runs.batches).toEqual([["a", "b", "c"], ["d", "e", "f"]]);
    await runs.succeed(0);
    expect(runs.batches[2]).toEqual(["g"]);
  });

  it("begin as far apart as wanted: the first at once, what follows together, and after a pause at once again", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "setImmediate", "performance"] });
    try {
      const runs = new Runs();
      const coalescer = new Coalescer(runs.run, { maxBatch: 9, maxWaiting: 9, parallel: 4, everyMs: 50 });
      const add = (item: string) => void coalescer.add(item).catch(() => undefined);
      add("a");
      await vi.advanceTimersByTimeAsync(1);
      add("b");
      await vi.advanceTimersByTimeAsync(40);
      add("c");
      await vi.advanceTimersByTimeAsync(8);
      expect(runs.batches).toEqual([["a"]]);
      await vi.advanceTimersByTimeAsync(2);
      expect(runs.batches).toEqual([["a"], ["b", "c"]]);
      await vi.advanceTimersByTimeAsync(60);
      add("d");
      await vi.advanceTimersByTimeAsync(1);
      expect(runs.batches).toEqual([["a"], ["b", "c"], ["d"]]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("weigh their items: what does not fit waits, what never fits goes alone, nothing is overtaken", async () => {
    const { runs, add } = start({ maxBatch: 4, weigh: (item) => item.length });
    await add("aa", "bbb", "c", "dddddd", "e");
    for (const batch of [0, 1, 2, 3]) await runs.succeed(batch);
    expect(runs.batches).toEqual([["aa"], ["bbb", "c"], ["dddddd"], ["e"]]);
  });

  it("that answer too little fail those who got nothing", async () => {
    const coalescer = new Coalescer<string, string>((items) => Promise.resolve(items.slice(1)), { maxBatch: 9, maxWaiting: 9 });
    const answers = await Promise.allSettled([coalescer.add("a"), coalescer.add("b")]);
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  });
});

describe("a full queue", () => {
  it("says no at once, and takes again when there is room", async () => {
    const { runs, coalescer, add, outcomes } = start({ maxBatch: 1, maxWaiting: 2 });
    await add("a");
    await add("b", "c", "d");
    await expect(coalescer.add("e")).rejects.toMatchObject({ name: "ExpectedError", code: "Unavailable" });
    expect(outcomes).toEqual({ d: "too many requests are waiting" });
    await runs.succeed(0);
    await add("f");
    for (const batch of [1, 2, 3]) await runs.succeed(batch);
    expect(runs.batches).toEqual([["a"], ["b"], ["c"], ["f"]]);
  });

  it("takes one item of any weight when nothing waits", async () => {
    const { runs, add } = start({ maxWaiting: 2, weigh: (item) => item.length });
    await add("aaaaaa", "b");
    expect(runs.batches).toEqual([["aaaaaa"]]);
  });
});

describe("a batch that fails", () => {
  it("fails its own callers only, and is not run again unless asked to", async () => {
    const { runs, add, outcomes } = start();
    await add("a", "b");
    await add("c");
    await runs.fail(0, BAD_ITEM);
    await runs.succeed(1);
    expect(runs.batches).toEqual([["a", "b"], ["c"]]);
    expect(outcomes).toEqual({ a: "a bad item", b: "a bad item", c: "answer to c" });
  });

  it("fails its callers when it throws before it waits", async () => {
    const coalescer = new Coalescer<string, string>(
      () => {
        throw BAD_ITEM;
      },
      { maxBatch: 1, maxWaiting: 1 },
    );
    await expect(coalescer.add("a")).rejects.toBe(BAD_ITEM);
    await expect(coalescer.add("b")).rejects.toBe(BAD_ITEM);
  });

  const retrySingly = (error: unknown) => error === BAD_ITEM;

  it("is run once more item by item, so that the bad one fails alone", async () => {
    const { runs, add, outcomes } = start({ retrySingly });
    await add("a", "bad", "c");
    await runs.fail(0, BAD_ITEM);
    await runs.succeed(1);
    await runs.fail(2, BAD_ITEM);
    await runs.succeed(3);
    expect(runs.batches).toEqual([["a", "bad", "c"], ["a"], ["bad"], ["c"]]);
    expect(outcomes).toEqual({ a: "answer to a", bad: "a bad item", c: "answer to c" });
    await add("d");
    expect(runs.batches[4]).toEqual(["d"]);
  });

  it("is not run again when it was a single item", async () => {
    const { runs, add, outcomes } = start({ retrySingly });
    await add("bad");
    await runs.fail(0, BAD_ITEM);
    expect(runs.batches).toEqual([["bad"]]);
    expect(outcomes).toEqual({ bad: "a bad item" });
  });

  it("is not run again when the connection was lost", async () => {
    const { runs, add, outcomes } = start({ retrySingly });
    await add("a", "b");
    await runs.fail(0, DISCONNECTED);
    expect(runs.batches).toEqual([["a", "b"]]);
    expect(outcomes).toEqual({ a: "disconnected", b: "disconnected" });
  });

  it("gives up the second round when the connection is lost in it", async () => {
    const { runs, add, outcomes } = start({ retrySingly });
    await add("a", "b", "c");
    await runs.fail(0, BAD_ITEM);
    await runs.succeed(1);
    await runs.fail(2, DISCONNECTED);
    expect(runs.batches).toEqual([["a", "b", "c"], ["a"], ["b"]]);
    expect(outcomes).toEqual({ a: "answer to a", b: "disconnected", c: "disconnected" });
  });

  it("keeps its place while it is run again: no more than `parallel` are under way", async () => {
    const { runs, add } = start({ retrySingly });
    await add("a", "b");
    await runs.fail(0, BAD_ITEM);
    await add("c");
    expect(runs.batches).toEqual([["a", "b"], ["a"]]);
  });
});

it("whatever comes when, everybody gets his own answer and no batch is too big or one too many", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ wait: fc.integer({ min: 0, max: 3 }), poisoned: fc.boolean() }), { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 5 }),
      async (plan, parallel, maxBatch) => {
        let underWay = 0;
        const run = async (items: readonly number[]) => {
          underWay += 1;
          expect(underWay).toBeLessThanOrEqual(parallel);
          expect(items.length).toBeLessThanOrEqual(maxBatch);
          for (let turns = items[0]! % 3; turns > 0; turns -= 1) await new Promise(setImmediate);
          underWay -= 1;
          if (items.some((item) => plan[item]!.poisoned)) throw BAD_ITEM;
          return items.map((item) => item * 2);
        };
        const coalescer = new Coalescer(run, { maxBatch, parallel, maxWaiting: 100, retrySingly: (error) => error === BAD_ITEM });
        const answers: Promise<number | string>[] = [];
        for (const [index, { wait }] of plan.entries()) {
          for (let turns = wait; turns > 0; turns -= 1) await new Promise(setImmediate);
          answers.push(coalescer.add(index).catch((error: unknown) => (error as Error).message));
        }
        expect(await Promise.all(answers)).toEqual(plan.map(({ poisoned }, index) => (poisoned ? "a bad item" : index * 2)));
      },
    ),
    { numRuns: 60 },
  );
});
