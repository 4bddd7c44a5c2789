import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Snapshot } from "../../src/domain/ports.ts";
import { watchPools } from "../../src/ingress/pool-watch.ts";
import { silent } from "../harness/logger.ts";
import { aSitePool } from "./site.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A database whose pools are named by the test, that tells of changes, and may be slow or away. */
function aStore(...names: string[]) {
  let state = snapshotOf(1, names);
  let notify = (): void => undefined;
  let hold: Promise<void> = Promise.resolve();
  let isAway = false;
  const answer = <T>(value: T): Promise<T> => (isAway ? Promise.reject(new Error("the database is away")) : Promise.resolve(value));
  const store = {
    revision: () => answer(state.revision),
    // What changes while the answer is on its way is not in it.
    snapshot: async () => {
      const read = await answer(state);
      await hold;
      return read;
    },
    changes: () => answer(null),
    onChange: (listener: () => void) => {
      notify = listener;
      return Promise.resolve(() => Promise.resolve(void (notify = () => undefined)));
    },
  };
  return {
    store,
    change: (...next: string[]) => void (state = snapshotOf(state.revision + 1, next)),
    tell: () => notify(),
    away: (away: boolean) => void (isAway = away),
    holdUp: () => {
      let release = (): void => undefined;
      hold = new Promise((resolve) => (release = resolve));
      return () => release();
    },
  };
}

const snapshotOf = (revision: number, names: readonly string[]): Snapshot => ({ revision, pools: names.map((name) => aSitePool(name, 1)), rules: [], trunks: [] });

async function watch(store: ReturnType<typeof aStore>["store"]) {
  const watched = await watchPools(store, silent, { pollSeconds: 5 });
  return { pools: () => watched.pools(), names: () => [...watched.pools().keys()], ready: () => watched.ready(), stop: () => watched.stop() };
}

describe("the pools that a replica knows", () => {
  it("are read again when a change is told while they are being read", async () => {
    const { store, change, tell, holdUp } = aStore("a/first");
    const { names, stop } = await watch(store);
    const release = holdUp();
    change("a/first", "a/second");
    tell();
    await vi.advanceTimersByTimeAsync(0);
    change("a/first", "a/second", "a/third");
    tell();
    release();
    await vi.advanceTimersByTimeAsync(0);
    expect(names()).toEqual(["a/first", "a/second", "a/third"]);
    await stop();
  });

  it("are looked at again and again, though nobody told of a change", async () => {
    const { store, change } = aStore("a/first");
    const { pools, names, stop } = await watch(store);
    const before = pools();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(pools()).toBe(before);
    change("a/second");
    await vi.advanceTimersByTimeAsync(5_000);
    expect(names()).toEqual(["a/second"]);
    await stop();
    change("a/third");
    await vi.advanceTimersByTimeAsync(5_000);
    expect(names()).toEqual(["a/second"]);
  });

  it("stay while the database is away, and are none before it was there", async () => {
    const { store, change, away } = aStore("a/first");
    away(true);
    const { pools, names, ready, stop } = await watch(store);
    expect([pools().size, ready().ready]).toEqual([0, false]);
    away(false);
    await vi.advanceTimersByTimeAsync(5_000);
    expect([names(), ready().ready]).toEqual([["a/first"], true]);
    away(true);
    change("a/second");
    await vi.advanceTimersByTimeAsync(5_000);
    expect([names(), ready().ready]).toEqual([["a/first"], true]);
    await stop();
  });
});
