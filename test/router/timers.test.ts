import { Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { routerMetrics } from "../../src/router/metrics.ts";
import { aDecision, after, answered, decided, received } from "../domain/call/builders.ts";
import { silent } from "../harness/logger.ts";
import { testCalls } from "./builders.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Our own limit of a destination that rings for 20 s. */
const RING_MS = 25_000;
const CATCH_UP_MS = 500;

/** A call whose only destination is called and says nothing. */
function dialled(asterisk = { connected: true }) {
  const asked: string[] = [];
  const registry = new Registry();
  const calls = testCalls({
    clock: { now: () => new Date() },
    metrics: routerMetrics(registry),
    perform: ({ type }) => Promise.resolve(void asked.push(type)),
    connected: () => asterisk.connected,
  });
  const { call, commands } = after(received(), decided(aDecision([["desk"]])));
  calls.start(call, commands, silent);
  const live = async () => (await registry.getSingleMetric("dialplane_router_live_calls")?.get())?.values[0]?.value;
  return { calls, asked, live, kind: () => calls.find(call.id)?.kind, answers: () => calls.dispatch(call.id, answered(0)) };
}

describe("a ring timer", () => {
  test("does not run out while ARI is away, and does when it is back", async () => {
    const asterisk = { connected: false };
    const { kind, asked } = dialled(asterisk);
    await vi.advanceTimersByTimeAsync(10 * RING_MS);
    expect([kind(), asked]).toEqual(["dialing", expect.not.arrayContaining(["HangUp"])]);
    asterisk.connected = true;
    await vi.advanceTimersByTimeAsync(2 * CATCH_UP_MS);
    expect([kind(), asked.at(-1)]).toEqual(["ending", "HangUp"]);
  });

  /** The process stands still until long after its timer. */
  async function stalled() {
    const call = dialled();
    await vi.advanceTimersByTimeAsync(RING_MS - 1);
    const now = performance.now();
    vi.spyOn(performance, "now").mockReturnValue(now + RING_MS);
    await vi.advanceTimersByTimeAsync(1);
    return call;
  }

  test("of a process that stood still lets an answer of meanwhile be read first", async () => {
    const { kind, answers } = await stalled();
    await vi.advanceTimersByTimeAsync(CATCH_UP_MS - 1);
    answers();
    await vi.advanceTimersByTimeAsync(RING_MS);
    expect(kind()).toBe("bridged");
  });

  test("of a process that stood still runs out when nobody has answered", async () => {
    const { kind } = await stalled();
    expect(kind()).toBe("dialing");
    await vi.advanceTimersByTimeAsync(CATCH_UP_MS);
    expect(kind()).toBe("ending");
  });
});

test("calls that another router has taken over are none of ours: no timer of theirs runs out, and they are not counted", async () => {
  const { calls, asked, live } = dialled();
  const before = [...asked];
  expect(await live()).toBe(1);
  calls.abandon();
  expect(vi.getTimerCount()).toBe(0);
  await vi.advanceTimersByTimeAsync(10 * RING_MS);
  expect([asked, calls.live, await live()]).toEqual([before, 0, 0]);
});
