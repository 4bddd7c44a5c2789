import { setTimeout as sleep } from "node:timers/promises";
import { Registry } from "prom-client";
import { describe, expect, test, vi } from "vitest";

import { Limits } from "../../src/router/limits.ts";
import { routerMetrics } from "../../src/router/metrics.ts";
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
