import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { AppliedState, Declared, DesiredState, OperatorStore, PodReport, PoolTotals, ResourceSource } from "../../src/domain/ports.ts";
import { ExpectedError } from "../../src/domain/errors.ts";
import type { NumberPool, SipTrunk } from "../../src/domain/resources.ts";
import type { ResourceStatus } from "../../src/domain/statuses.ts";
import { compileWorld } from "../../src/domain/world.ts";
import { Reconciler } from "../../src/operator/reconciler.ts";
import { aPool, aReport, aTrunk } from "../domain/builders.ts";
import { silent } from "../harness/logger.ts";
import { eventually } from "../harness/process.ts";

/** Moments that the real database can't be made to have on demand. */

const metadata = (name: string) => ({ name, namespace: "default", uid: `uid-of-default/${name}`, generation: 1, creationTimestamp: "2026-01-01T00:00:00Z" });
const trunk = { apiVersion: "dialplane.io/v1alpha1", kind: "SipTrunk", metadata: metadata("carrier"), spec: aTrunk().spec } as SipTrunk;
const pool = { apiVersion: "dialplane.io/v1alpha1", kind: "NumberPool", metadata: metadata("sales"), spec: aPool().spec } as NumberPool;
const TOTALS: PoolTotals = { total: 10, leased: 0, coolingDown: 0, available: 10, retiring: 0 };

const NO_DELAY: (keys: readonly string[] | undefined) => Promise<void> = () => Promise.resolve();

const DONE: OperatorStore["cleanUp"] = () => Promise.resolve();

interface Fakes {
  readonly reconciler: Reconciler;
  declared: Declared;
  changed: () => void;
  statuses: readonly ResourceStatus[];
  /** Held back until resolved. */
  apply: Promise<void>;
  totals: (keys: readonly string[] | undefined) => Promise<void>;
  read: () => Promise<Declared>;
  readonly overruled: string[];
  cleanUp: (signal: AbortSignal) => Promise<void>;
  /** Uids of pools, as they were told. */
  readonly cleaned: string[];
  /** Of the database. */
  revision: number;
  pods: readonly (PodReport & { readonly seenAt: Date })[];
  looks: number;
  listening: number;
  watching: number;
}

function fakes(): Fakes {
  const state = { declared: { resources: [trunk], credentials: new Map(), problems: [] } as Declared, statuses: [] as readonly ResourceStatus[], looks: 0, listening: 0, watching: 0, revision: 0, pods: [] as Fakes["pods"] };
  const world = Object.assign(state, { apply: Promise.resolve(), changed: (): void => undefined, totals: NO_DELAY, read: () => Promise.resolve(state.declared), overruled: [] as string[], cleanUp: DONE, cleaned: [] as string[] });
  const store: OperatorStore = {
    apply: async (desired: DesiredState, known?: AppliedState) => {
      await world.apply;
      const changed = JSON.stringify(desired.pools) !== JSON.stringify(known?.desired.pools);
      if (changed) world.revision += 1;
      const continues = known === undefined || known.revision <= world.revision;
      return { revision: world.revision, mark: "", changed, continues, dialplan: desired.dialplan([]).hash, retiresInSeconds: null };
    },
    cleanUp: (signal) => world.cleanUp(signal),
    totals: async (keys) => {
      await world.totals(keys);
      return keys === undefined ? {} : Object.fromEntries(keys.map((key) => [key, TOTALS]));
    },
    pods: () => {
      world.looks += 1;
      return Promise.resolve(world.pods);
    },
    onPods: () => {
      world.listening += 1;
      return Promise.resolve(() => {
        world.listening -= 1;
        return Promise.resolve();
      });
    },
  };
  const source: ResourceSource = {
    read: () => world.read(),
    watch: (listener) => {
      world.watching += 1;
      world.changed = listener;
      return Promise.resolve(() => {
        world.watching = 0;
        return Promise.resolve();
      });
    },
  };
  const reconciler = new Reconciler({
    source,
    store,
    trunks: { write: () => Promise.resolve({ revision: "one" }) },
    clock: { now: () => new Date() },
    logger: silent,
    onStatus: (statuses) => (world.statuses = statuses),
    onCleaned: (pools) => world.cleaned.push(...pools.map(({ uid }) => uid)),
    onOverruled: ({ message }) => world.overruled.push(message),
  });
  return Object.assign(world, { reconciler });
}

describe("a reconciler", () => {
  afterEach(() => void vi.useRealTimers());

  test("that is stopped during its first pass leaves no listener and no watch behind, and looks no more", async () => {
    const world = fakes();
    let release: () => void = () => undefined;
    world.apply = new Promise((resolve) => (release = resolve));
    const started = world.reconciler.start();
    await sleep(1);
    const stopped = world.reconciler.stop();
    release();
    await Promise.all([started, stopped]);
    expect({ listening: world.listening, watching: world.watching }).toEqual({ listening: 0, watching: 0 });
    const looks = world.looks;
    // Longer than the time between two looks.
    await sleep(700);
    expect(world.looks).toBe(looks);
  });

  test("can be stopped while what is declared was not read yet", async () => {
    const world = fakes();
    world.read = () => new Promise(() => undefined);
    const started = world.reconciler.start();
    await sleep(1);
    await world.reconciler.stop();
    await started;
    expect({ listening: world.listening, watching: world.watching }).toEqual({ listening: 0, watching: 0 });
  });

  test("says that its term is over when the database does", async () => {
    const world = fakes();
    world.apply = Promise.reject(new ExpectedError("StaleRevision", "term 7 is over"));
    await world.reconciler.start();
    expect(world.overruled).toEqual(["term 7 is over"]);
    await world.reconciler.stop();
  });

  test("tells the numbers of a new pool although a look by the clock came between", async () => {
    const world = fakes();
    await world.reconciler.start();
    // Counting takes longer than the time between two looks.
    world.totals = (keys) => (keys === undefined ? Promise.resolve() : sleep(1_200));
    world.declared = { ...world.declared, resources: [trunk, pool] };
    world.changed();
    const numbers = () => (world.statuses.find(({ kind }) => kind === "NumberPool")?.status as { numbers?: object } | undefined)?.numbers;
    await eventually("the numbers", numbers, 8_000);
    expect(numbers()).toMatchObject({ total: 10, available: 10 });
    await world.reconciler.stop();
  });

  test("whose database has lost revisions counts pods by those that there are now", async () => {
    const world = fakes();
    world.declared = { ...world.declared, resources: [trunk, pool] };
    world.revision = 7;
    await world.reconciler.start();
    const programmed = () => world.statuses.find(({ kind }) => kind === "NumberPool")?.status.conditions.find(({ type }) => type === "Programmed");
    const { hash } = compileWorld(world.declared).desired.dialplan([]);
    const runs = (routing: number) => (world.pods = [{ ...aReport({ running: hash, routing }), seenAt: new Date() }]);
    runs(8);
    await world.reconciler.request();
    expect(programmed()).toMatchObject({ status: "True" });
    world.revision = 5;
    runs(5);
    await world.reconciler.request();
    expect(programmed()).toMatchObject({ status: "True" });
    await world.reconciler.stop();
  });

  test("passes once more every five minutes, although nothing changed", async () => {
    vi.useFakeTimers();
    const world = fakes();
    let passes = 0;
    world.read = () => {
      passes += 1;
      return Promise.resolve(world.declared);
    };
    await world.reconciler.start();
    expect(passes).toBe(1);
    await vi.advanceTimersByTimeAsync(299_000);
    expect(passes).toBe(1);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(passes).toBe(2);
    await vi.advanceTimersByTimeAsync(300_000);
    expect(passes).toBe(3);
    await world.reconciler.stop();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(passes).toBe(3);
  });

  describe("that cleans up what deleted pools left behind", () => {
    const leaving = (...pools: readonly [uid: string, reclaimPolicy: "Retain" | "Delete"][]) => pools.map(([uid, reclaimPolicy]) => ({ uid, reclaimPolicy }));

    test("lets go of one whose history is to be deleted when that is done, and neither another pool nor a change waits for it", async () => {
      const world = fakes();
      const releases: (() => void)[] = [];
      world.cleanUp = () => new Promise((resolve) => releases.push(resolve));
      world.declared = { ...world.declared, leaving: leaving(["kept", "Retain"], ["first", "Delete"]) };
      await world.reconciler.start();
      expect(world.cleaned).toEqual(["kept"]);
      world.declared = { ...world.declared, resources: [trunk, pool], leaving: leaving(["first", "Delete"], ["second", "Delete"]) };
      await world.reconciler.request();
      expect(world.statuses).toHaveLength(2);
      expect(world.cleaned).toEqual(["kept"]);
      releases[0]?.();
      // The second was applied away after the first run began.
      await eventually("the next run", () => releases.length === 2, 1_000);
      expect(world.cleaned).toEqual(["kept", "first"]);
      releases[1]?.();
      await eventually("the second", () => world.cleaned.includes("second"), 1_000);
      await world.reconciler.stop();
    });

    test("looks with every pass, tries a failed run again, and ends one that is under way when it is stopped", async () => {
      vi.useFakeTimers();
      const world = fakes();
      let runs = 0;
      world.cleanUp = () => {
        runs += 1;
        return runs === 1 ? Promise.reject(new Error("away")) : Promise.resolve();
      };
      world.declared = { ...world.declared, leaving: leaving(["first", "Delete"]) };
      await world.reconciler.start();
      expect(world.cleaned).toEqual([]);
      await vi.advanceTimersByTimeAsync(5_000);
      expect(world.cleaned).toEqual(["first"]);
      world.declared = { ...world.declared, leaving: [] };
      await vi.advanceTimersByTimeAsync(300_000);
      expect(runs).toBe(3);
      world.cleanUp = (signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("ended"))));
      await world.reconciler.request();
      await world.reconciler.stop();
    });
  });
});
