import { Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import type { Telephony } from "../../src/adapters/ari/telephony.ts";
import { ExpectedError } from "../../src/domain/errors.ts";
import type { CallRecord } from "../../src/domain/types.ts";
import { routerMetrics } from "../../src/router/metrics.ts";
import type { TelephonyCommand } from "../../src/router/perform.ts";
import { recover } from "../../src/router/recover.ts";
import { aDecision, after, answered, AT, decided, gone, INBOUND, LEG, received } from "../domain/call/builders.ts";
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

  test("does not run out before it is known what Asterisk did while ARI was away", async () => {
    const { calls, kind, answers } = dialled();
    calls.lost();
    await vi.advanceTimersByTimeAsync(2 * RING_MS);
    expect(kind()).toBe("dialing");
    answers();
    calls.caughtUp(calls.outages);
    await vi.advanceTimersByTimeAsync(2 * CATCH_UP_MS);
    expect(kind()).toBe("bridged");
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

describe("the hang-ups of a call that ended while ARI went away", () => {
  const HANGUP_MS = 5_000;

  /** The callee said no, and what the caller was to be told is lost with the socket. */
  async function declined() {
    const asterisk = { connected: true };
    const saved: CallRecord[] = [];
    const asked: TelephonyCommand[] = [];
    const lost = () => Promise.reject(new ExpectedError("Unavailable", "ARI is not connected"));
    const calls = testCalls({
      clock: { now: () => AT },
      perform: (command) => (asterisk.connected ? Promise.resolve(void asked.push(command)) : lost()),
      save: (record) => void saved.push(record),
      connected: () => asterisk.connected,
    });
    const { call, commands } = after(received(), decided(aDecision([["desk"]])));
    calls.start(call, commands, silent);
    asterisk.connected = false;
    calls.dispatch(call.id, gone(LEG(0), 21, 603));
    await vi.advanceTimersByTimeAsync(10 * HANGUP_MS);
    return { asterisk, calls, call, saved, asked };
  }

  test("are not given up before it is back, and the record has the end already", async () => {
    const { calls, call, saved } = await declined();
    expect([calls.find(call.id)?.kind, calls.owns(INBOUND)]).toEqual(["ending", true]);
    expect(saved.filter(({ end }) => end !== null)).toMatchObject([{ end: "declined", legs: [{ result: "declined" }] }]);
  });

  test("are asked for again when it is back: nobody else is rung for a caller who was declined", async () => {
    const { asterisk, calls, call, saved, asked } = await declined();
    asterisk.connected = true;
    const telephony = {
      ownChannels: () => Promise.resolve([INBOUND]),
      channels: () => Promise.resolve([{ id: INBOUND, state: "Ring", callerNumber: "", context: "c", extension: "12025550101", createdAt: AT, protocolId: "one@carrier" }]),
      bridges: () => Promise.resolve([]),
    } as Partial<Telephony> as Telephony;
    await recover({ pod: "pod-0", calls, telephony, records: { keep: () => undefined }, clock: { now: () => AT }, logger: silent, up: new Set() }, new Date(AT.getTime() + 60_000), false);
    expect(asked.at(-1)).toEqual({ type: "HangUp", channel: INBOUND, cause: 21 });
    calls.dispatch(call.id, gone(INBOUND, 21));
    expect([calls.live, saved.at(-1)?.end]).toEqual([0, "declined"]);
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
