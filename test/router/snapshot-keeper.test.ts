import { expect, test } from "vitest";

import { createSnapshotKeeper } from "../../src/router/snapshot-keeper.ts";
import { silent } from "../harness/logger.ts";
import { eventually } from "../harness/process.ts";
import { MemoryStore } from "./memory-store.ts";

const snapshotOf = (revision: number) => ({ revision, pools: [], rules: [], trunks: [] });

async function started(pollMs: number) {
  const store = new MemoryStore(snapshotOf(1), null, () => Promise.reject(new Error("nobody is looked up")));
  const seen: number[] = [];
  const keeper = createSnapshotKeeper(store, silent, { pollMs, onRevision: ({ revision }) => void seen.push(revision) });
  keeper.start();
  await eventually("the first one was read", () => seen.length === 1);
  return { store, seen, keeper };
}

test("a change that is told while an earlier one is read is read after it, not at the next look by the clock", async () => {
  const { store, seen, keeper } = await started(3_600_000);
  const slow = Promise.withResolvers<undefined>();
  let reads = 0;
  store.snapshot = async () => {
    reads += 1;
    const read = store.state.snapshot;
    await slow.promise;
    return read;
  };
  store.change({ snapshot: snapshotOf(2) });
  await eventually("it is read", () => reads === 1);
  store.change({ snapshot: snapshotOf(3) });
  slow.resolve(undefined);
  await eventually("both were read", () => seen.length === 3);
  expect(seen).toEqual([1, 2, 3]);
  await keeper.stop();
});

test("while the database is away the last good snapshot stays, and the next look by the clock finds what is new", async () => {
  const { store, seen, keeper } = await started(20);
  const snapshot = store.snapshot.bind(store);
  let tries = 0;
  store.snapshot = () => Promise.reject(new Error(`away for time ${(tries += 1)}`));
  store.change({ snapshot: snapshotOf(2) });
  await eventually("it was tried again", () => tries >= 3);
  expect(keeper.current?.revision).toBe(1);
  store.snapshot = snapshot;
  await eventually("the new one was read", () => seen.length === 2);
  expect([keeper.current?.revision, seen]).toEqual([2, [1, 2]]);
  await keeper.stop();
});
