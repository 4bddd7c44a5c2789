import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { watchPools } from "../../src/ingress/pool-watch.ts";
import { silent } from "../harness/logger.ts";
import { aSitePool } from "./site.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("the pools are none, and a replica is not ready, before the database was there", async () => {
  let isAway = true;
  const answer = <T>(value: T): Promise<T> => (isAway ? Promise.reject(new Error("the database is away")) : Promise.resolve(value));
  const store = {
    revision: () => answer({ revision: 1, mark: "" }),
    snapshot: () => answer({ revision: 1, mark: "", pools: [aSitePool("a/first", 1)], rules: [], trunks: [] }),
    changes: () => answer(null),
    onChange: () => Promise.resolve(() => Promise.resolve()),
  };
  const watch = await watchPools(store, silent, { pollSeconds: 5 });
  const { pools, ready } = watch;
  expect([pools().size, ready()]).toEqual([0, { ready: false, reason: "the pools were not read yet" }]);
  isAway = false;
  await vi.advanceTimersByTimeAsync(5_000);
  expect([[...pools().keys()], ready()]).toEqual([["a/first"], { ready: true, reason: "revision 1" }]);
  expect(pools()).toBe(pools());
  await watch.stop();
});
