import { setTimeout as sleep } from "node:timers/promises";
import { Registry } from "prom-client";
import { describe, expect, test, vi } from "vitest";

import type { LimitReached } from "../../src/domain/ports.ts";
import { Limits } from "../../src/router/limits.ts";
import { routerMetrics } from "../../src/router/metrics.ts";
import { aTrunk } from "../domain/builders.ts";
import { anAttempt } from "../domain/call/builders.ts";
import { silent } from "../harness/logger.ts";
import { MemoryStore } from "./memory-store.ts";

/** Orders of events that calls can't be made to have on demand. */
function limitsOf(living: readonly string[], withinMs = 1_000) {
  const store = new MemoryStore({ revision: 0, mark: "", pools: [], rules: [], trunks: [] }, null, () => Promise.reject(new Error("nobody is looked up")));
  const limits = new Limits({ store, logger: silent, metrics: routerMetrics(new Registry()), withinMs, living: () => living });
  return { store, limits };
}

const seat = { destination: "sip:a@pbx.example", destinationLimit: 1, trunk: "default/carrier", trunkLimit: null };

describe("a seat", () => {
  test("of a call that an earlier router dialled is given back when the call is over", async () => {
    const living = ["adopted"];
    const { store, limits } = limitsOf(living);
    store.seats.set("adopted", { ...seat, channel: "adopted" });
    limits.keepSeats();
    await sleep(1);
    living.pop();
    limits.leave("adopted");
    await sleep(1);
    expect([...store.seats.keys()]).toEqual([]);
    limits.stop();
  });

  test("of a call that ended while seats were renewed is given back as well", async () => {
    const living = ["adopted"];
    const { store, limits } = limitsOf(living);
    store.seats.set("adopted", { ...seat, channel: "adopted" });
    limits.keepSeats();
    living.pop();
    limits.leave("adopted");
    await sleep(1);
    expect([...store.seats.keys()]).toEqual([]);
    limits.stop();
  });

  test("that was asked for is given back when its leg has gone before the answer", async () => {
    const { store, limits } = limitsOf(["leg"]);
    const take = store.takeSeat.bind(store);
    store.takeSeat = async (request) => {
      await sleep(20);
      return take(request);
    };
    const admitted = limits.admit("leg", anAttempt("a", { maxConcurrentCalls: 1 }), undefined);
    limits.leave("leg");
    await admitted;
    await sleep(1);
    expect([...store.seats.keys()]).toEqual([]);
    limits.stop();
  });

  test.each(["before", "while"])("of a call that another router took over %s seats are renewed is not given back", async (when) => {
    const living = ["leg"];
    const { store, limits } = limitsOf(living);
    await limits.admit("leg", anAttempt("a", { maxConcurrentCalls: 1 }), undefined);
    if (when === "while") limits.keepSeats();
    living.pop();
    limits.forget();
    limits.keepSeats();
    limits.leave("leg");
    await sleep(1);
    expect([...store.seats.keys()]).toEqual(["leg"]);
    limits.stop();
  });

  test("that is taken after another router took the call over is not given back", async () => {
    const { store, limits } = limitsOf([]);
    const take = store.takeSeat.bind(store);
    store.takeSeat = async (request) => {
      await sleep(20);
      return take(request);
    };
    const admitted = limits.admit("leg", anAttempt("a", { maxConcurrentCalls: 1 }), undefined);
    limits.forget();
    await admitted;
    await sleep(1);
    expect([...store.seats.keys()]).toEqual(["leg"]);
    limits.stop();
  });

  test.each<readonly [string, () => Promise<null>]>([
    ["does not answer", () => new Promise(() => undefined)],
    ["is away", () => Promise.reject(new Error("away"))],
  ])("is not waited for when the database %s: a call too many is better than a call lost", async (_, takeSeat) => {
    const { store, limits } = limitsOf(["leg"], 10);
    store.takeSeat = takeSeat;
    const admitted = limits.admit("leg", anAttempt("a", { maxConcurrentCalls: 1 }), undefined).then(() => "dialled");
    expect(await Promise.race([admitted, sleep(1_000, "waits")])).toBe("dialled");
    limits.stop();
  });

  test("of a call that was let pass while the database was away is taken when it is back, over the limit or not", async () => {
    const { store, limits } = limitsOf(["leg"]);
    const take = store.takeSeat.bind(store);
    store.takeSeat = () => Promise.reject(new Error("away"));
    await limits.admit("leg", anAttempt("a", { maxConcurrentCalls: 1 }), undefined);
    store.takeSeat = take;
    limits.keepSeats();
    await sleep(1);
    await expect(limits.admit("next", anAttempt("a", { maxConcurrentCalls: 1 }), undefined)).rejects.toThrow("as many calls as it may");
    limits.leave("leg");
    await sleep(1);
    expect([...store.seats.keys()]).toEqual([]);
    limits.stop();
  });

  test.each([
    ["destination", 1, {}],
    ["trunk", null, { maxConcurrentCalls: 1 }],
  ])("of a call that was let pass is taken although the %s is full by then", async (_, maxConcurrentCalls, limitsOfTrunk) => {
    const { store, limits } = limitsOf(["leg"]);
    const take = store.takeSeat.bind(store);
    store.takeSeat = () => Promise.reject(new Error("away"));
    const attempt = anAttempt("a", { maxConcurrentCalls });
    await limits.admit("leg", attempt, aTrunk(limitsOfTrunk));
    store.seats.set("elsewhere", { ...seat, channel: "elsewhere" });
    store.takeSeat = take;
    limits.keepSeats();
    await sleep(1);
    expect([...store.seats.keys()]).toEqual(["elsewhere", "leg"]);
    limits.stop();
  });

  test("that the database lost is taken again, unless the call is another router's by then", async () => {
    const { store, limits } = limitsOf(["leg"]);
    await limits.admit("leg", anAttempt("a", { maxConcurrentCalls: 1 }), undefined);
    store.seats.clear();
    limits.keepSeats();
    await sleep(1);
    expect([...store.seats.keys()]).toEqual(["leg"]);
    store.seats.clear();
    limits.forget();
    limits.keepSeats();
    await sleep(1);
    expect([...store.seats.keys()]).toEqual([]);
    limits.stop();
  });

  test("that is being asked for is not taken meanwhile: it may be refused", async () => {
    const { store, limits } = limitsOf(["leg"]);
    store.takeSeat = async () => {
      await sleep(20);
      return "destination";
    };
    const admitted = limits.admit("leg", anAttempt("a", { maxConcurrentCalls: 1 }), undefined);
    limits.keepSeats();
    await expect(admitted).rejects.toThrow("as many calls as it may");
    await sleep(30);
    expect([...store.seats.keys()]).toEqual([]);
    limits.stop();
  });

  test("is renewed every 20 seconds, until the end", async () => {
    vi.useFakeTimers();
    try {
      const { store, limits } = limitsOf(["leg"]);
      const kept: (readonly string[])[] = [];
      store.keepSeats = (channels) => Promise.resolve(void kept.push(channels)).then(() => channels);
      await vi.advanceTimersByTimeAsync(19_999);
      expect(kept).toEqual([]);
      await vi.advanceTimersByTimeAsync(40_001);
      expect(kept).toEqual([["leg"], ["leg"], ["leg"]]);
      limits.stop();
      await vi.advanceTimersByTimeAsync(60_000);
      expect(kept).toHaveLength(3);
    } finally {
      vi.useRealTimers();
    }
  });
});

test.each<readonly [string, number | null, Parameters<typeof aTrunk>[0], boolean]>([
  ["nobody sets a limit", null, {}, false],
  ["the destination has one", 1, {}, true],
  ["the trunk has one of calls at a time", null, { maxConcurrentCalls: 1 }, true],
  ["the trunk has one of calls a second", null, { maxCallsPerSecond: 1 }, true],
])("a call waits for the database or its turn only where there is a limit: %s", (_, maxConcurrentCalls, trunk, applies) => {
  const { limits } = limitsOf([]);
  expect([limits.applies(anAttempt("a", { maxConcurrentCalls }), aTrunk(trunk)), limits.applies(anAttempt("a", { maxConcurrentCalls }), undefined)]).toEqual([applies, maxConcurrentCalls !== null]);
  limits.stop();
});

describe("calls a second", () => {
  const carrier = (limits: NonNullable<Parameters<typeof aTrunk>[0]>) => aTrunk(limits);

  test("are no more when the database takes long to say who has a seat", async () => {
    const { store, limits } = limitsOf(["a", "b", "c"]);
    store.takeSeat = ({ channel }) => sleep(channel === "a" ? 900 : 0, null);
    const dialled = await Promise.all(
      ["a", "b", "c"].map((channel) => limits.admit(channel, anAttempt(channel), carrier({ maxConcurrentCalls: 10, maxCallsPerSecond: 2 })).then(() => performance.now())),
    );
    dialled.sort((one, other) => one - other);
    expect(dialled[2]! - dialled[0]!).toBeGreaterThan(900);
    limits.stop();
  });

  test("are used up by nobody who has no seat", async () => {
    const { limits } = limitsOf([]);
    const trunk = carrier({ maxConcurrentCalls: 1, maxCallsPerSecond: 1 });
    await limits.admit("first", anAttempt("a"), trunk);
    const refused = await Promise.all(Array.from({ length: 5 }, (_, n) => limits.admit(`leg-${n}`, anAttempt("a"), trunk).catch((error: unknown) => (error as LimitReached).limit)));
    expect(refused).toEqual(Array(5).fill("trunk"));
    limits.stop();
  });

  test("that are too many give their seats back", async () => {
    const { store, limits } = limitsOf([]);
    const trunk = carrier({ maxConcurrentCalls: 10, maxCallsPerSecond: 0.1 });
    await limits.admit("first", anAttempt("a"), trunk);
    await expect(limits.admit("second", anAttempt("a"), trunk)).rejects.toMatchObject({ limit: "rate" });
    await sleep(1);
    expect([...store.seats.keys()]).toEqual(["first"]);
    limits.stop();
  });
});
