import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { type RoutingWatchOptions, watchRouting } from "../../../src/adapters/postgres/routing-watch.ts";
import type { Snapshot, SnapshotChanges } from "../../../src/domain/ports.ts";
import { createLogger } from "../../../src/shared/logger.ts";
import { aPool, aRule } from "../../domain/builders.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A database whose pools are named by the test, that tells of changes, and may be slow or away. */
function aStore(...names: string[]) {
  let state = snapshotOf(1, names);
  let notify = (): void => undefined;
  let hold: Promise<void> = Promise.resolve();
  let isAway = false;
  let delta: SnapshotChanges | null = null;
  const answer = <T>(value: T): Promise<T> => (isAway ? Promise.reject(new Error("the database is away")) : Promise.resolve(value));
  // What changes while the answer is on its way is not in it.
  const snapshot = vi.fn(async () => {
    const read = await answer(state);
    await hold;
    return read;
  });
  const store = {
    revision: () => answer(state),
    snapshot,
    changes: () => answer(delta),
    onChange: (listener: () => void) => {
      notify = listener;
      return Promise.resolve(() => Promise.resolve(void (notify = () => undefined)));
    },
  };
  return {
    store,
    change: (...next: string[]) => void (state = snapshotOf(state.revision + 1, next)),
    /** A copy that lacked the last revision took over, and another one of the same number was made. */
    failOver: (...next: string[]) => void (state = { ...snapshotOf(state.revision, next), mark: "another" }),
    /** The same, and the database can tell what changed. */
    changeBy: (changes: Partial<SnapshotChanges>) => {
      state = { ...state, revision: state.revision + 1 };
      delta = { pools: [], rules: [], trunks: [], gone: { pools: [], rules: [], trunks: [] }, ...changes, revision: state.revision, mark: state.mark };
    },
    tell: () => notify(),
    away: (away: boolean) => void (isAway = away),
    holdUp: () => {
      let release = (): void => undefined;
      hold = new Promise((resolve) => (release = resolve));
      return () => release();
    },
  };
}

const poolOf = (key: string) => aPool({}, { key });
const snapshotOf = (revision: number, names: readonly string[]): Snapshot => ({ revision, mark: `mark of ${revision}`, pools: names.map(poolOf), rules: [], trunks: [] });

async function watch(store: ReturnType<typeof aStore>["store"], options: Partial<RoutingWatchOptions> = {}) {
  const watched = watchRouting(store, createLogger("silent"), { pollMs: 5_000, ...options });
  await watched.looked;
  return { watched, names: () => [...(watched.table?.pools.keys() ?? [])], stop: () => watched.stop() };
}

describe("what is in force", () => {
  it("is read again when a change is told while it is being read", async () => {
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

  it("is looked at again and again, though nobody told of a change, until it is stopped", async () => {
    const { store, change, tell } = aStore("a/first");
    const { watched, names, stop } = await watch(store);
    const before = watched.table;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(watched.table).toBe(before);
    change("a/second");
    await vi.advanceTimersByTimeAsync(5_000);
    expect(names()).toEqual(["a/second"]);
    await stop();
    change("a/third");
    tell();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(names()).toEqual(["a/second"]);
  });

  it("is read anew when a revision of the same number has another mark", async () => {
    const { store, failOver } = aStore("a/first");
    const { watched, names, stop } = await watch(store);
    failOver("a/second");
    await vi.advanceTimersByTimeAsync(5_000);
    expect(names()).toEqual(["a/second"]);
    expect(watched.table).toMatchObject({ revision: 1, mark: "another" });
    await stop();
  });

  it("stays while the database is away, and is nothing before it was there", async () => {
    const { store, change, away } = aStore("a/first");
    away(true);
    const { watched, names, stop } = await watch(store);
    expect(watched.table).toBeNull();
    away(false);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(names()).toEqual(["a/first"]);
    away(true);
    change("a/second");
    await vi.advanceTimersByTimeAsync(5_000);
    expect(names()).toEqual(["a/first"]);
    await stop();
  });

  it("is told with each change, of which only the difference is read where the database knows it", async () => {
    const { store, changeBy, tell } = aStore("a/first");
    const told: number[] = [];
    const { names, stop } = await watch(store, { onTable: ({ revision }) => void told.push(revision) });
    changeBy({ pools: [poolOf("a/second")] });
    tell();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(told).toEqual([1, 2]);
    expect(names()).toEqual(["a/first", "a/second"]);
    expect(store.snapshot).toHaveBeenCalledTimes(1);
    await stop();
  });

  it.each([
    { poolsOnly: true, rules: 0 },
    { poolsOnly: false, rules: 1 },
  ])("has $rules rules of a pool when pools only is $poolsOnly", async ({ poolsOnly, rules }) => {
    const { store, changeBy, tell } = aStore("default/sales");
    const { watched, stop } = await watch(store, { poolsOnly });
    changeBy({ rules: [aRule()] });
    tell();
    await vi.advanceTimersByTimeAsync(0);
    expect(watched.table?.revision).toBe(2);
    expect(watched.table?.rules.get("default/sales") ?? []).toHaveLength(rules);
    await stop();
  });
});
