import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import type { ListedChannel } from "../../src/adapters/ari/events.ts";
import { createTelephony } from "../../src/adapters/ari/telephony.ts";
import { STASIS_APP } from "../../src/domain/asterisk-names.ts";
import { bridgeId, callId, legId } from "../../src/domain/call/ids.ts";
import { adoptCall } from "../../src/domain/call/start.ts";
import { audit, startAudit } from "../../src/router/audit.ts";
import { takeAwayEmpty } from "../../src/router/empty-bridges.ts";
import type { TelephonyCommand } from "../../src/router/perform.ts";
import { AriError } from "../../src/domain/ports.ts";
import { aDestination } from "../domain/builders.ts";
import { silent } from "../harness/logger.ts";
import { eventually } from "../harness/process.ts";
import { startSippServer, type SippServer } from "../harness/sipp.ts";
import { testCalls } from "./builders.ts";
import { type RunningRouter, startTestRouter, startWorld, toUri, type World } from "./world.ts";

/** An event that was lost can't be had from Asterisk on demand. */
describe("a live call is compared with Asterisk's channels", () => {
  const START = new Date("2026-06-01T12:00:00Z");
  const caller: ListedChannel = { id: "1700000000.1", state: "Up", callerNumber: "+13125550123", context: "c", extension: "12025550101", createdAt: START, protocolId: "one@carrier" };
  const id = callId(caller);
  const callee = legId(id, 0);

  /** @param afterMs since the call began */
  async function audited(listed: readonly string[], afterMs = 60_000, connected = true, own = [caller.id, callee]) {
    const watched: string[] = [];
    const asked: TelephonyCommand[] = [];
    const clock = { now: () => new Date(START.getTime() + afterMs) };
    const perform = (command: TelephonyCommand) => Promise.resolve(void asked.push(command));
    const calls = testCalls({ clock, perform, connected: () => connected });
    calls.start(adoptCall(id, { bridge: bridgeId(id), inbound: caller.id, leg: callee }, START), [], silent);
    const channels = () => Promise.resolve(listed.map((one) => ({ ...caller, id: one })));
    await audit({ calls, telephony: { channels, ownChannels: () => Promise.resolve(own), watch: (one) => Promise.resolve(void watched.push(one)) }, clock, logger: silent, connected: () => connected });
    return { asked, live: calls.live, watched };
  }

  test.each([
    ["caller", [callee]],
    ["callee", [caller.id]],
  ])("when the %s is missing the other one is hung up", async (_, there) => {
    expect((await audited(there)).asked).toMatchObject([{ type: "HangUp", channel: there[0] }]);
  });

  test("when both are missing the call is over", async () => {
    expect((await audited([])).live).toBe(0);
  });

  test.each([
    ["both are there", [caller.id, callee], 60_000, true],
    ["the leg is so young that it may not be in the list yet", [caller.id], 9_000, true],
    ["ARI is away", [], 60_000, false],
  ])("nothing is done while %s", async (_, there, afterMs, connected) => {
    expect(await audited(there, afterMs, connected)).toEqual({ asked: [], live: 1, watched: [] });
  });

  test("nothing is done while Asterisk can't tell of one channel, and has made the application anew", async () => {
    const asked: string[] = [];
    const calls = testCalls({ perform: ({ type }) => Promise.resolve(void asked.push(type)) });
    calls.start(adoptCall(id, { bridge: bridgeId(id), inbound: caller.id, leg: callee }, START), [], silent);
    const ari = {
      request: (method: string, path: string) => {
        if (path === "/channels") return Promise.reject(new AriError(500, `${method} ${path}`, "a Call-ID that is not UTF-8"));
        if (path.startsWith("/applications/")) return Promise.resolve({ channel_ids: [] });
        return Promise.resolve({ id: decodeURIComponent(path.slice("/channels/".length)), state: "Up" });
      },
    };
    await audit({ calls, telephony: createTelephony(ari, STASIS_APP), clock: { now: () => new Date(START.getTime() + 60_000) }, logger: silent, connected: () => true });
    expect([asked, calls.live]).toEqual([[], 1]);
  });

  test("those of its channels that the application has lost are watched again, and nobody else's", async () => {
    expect(await audited([caller.id, callee, "somebody-elses"], 60_000, true, [caller.id])).toEqual({ asked: [], live: 1, watched: [callee] });
  });
});

describe("a bridge of ours in which nobody is", () => {
  const [live, over, occupied] = ["1700000000.1", "1700000000.2", "1700000000.3"].map((channel) => bridgeId(callId({ id: channel, protocolId: "x" }))) as [string, string, string];
  const held = [
    { id: live, channels: [] },
    { id: over, channels: [] },
    { id: occupied, channels: ["1700000000.3"] },
    { id: "somebody-elses", channels: [] },
  ];

  async function looked(before: readonly string[], { connected = true, bridges = () => Promise.resolve(held) } = {}) {
    const destroyed: string[] = [];
    const telephony = { bridges, destroyBridge: (id: string) => Promise.resolve(void destroyed.push(id)) };
    const calls = { all: () => [adoptCall("one", { bridge: live, inbound: "1700000000.1", leg: "leg" }, new Date())] };
    const now = await takeAwayEmpty({ calls, telephony, logger: silent, connected: () => connected }, new Set(before));
    return { destroyed, now: [...now] };
  }

  test("is taken away at the second look, when its call is over", async () => {
    expect(await looked([])).toEqual({ destroyed: [], now: [over] });
    expect(await looked([live, over, occupied, "somebody-elses"])).toEqual({ destroyed: [over], now: [over] });
  });

  test.each([
    ["ARI is away", { connected: false }],
    ["the list is not told", { bridges: () => Promise.reject(new Error("503")) }],
  ])("is not forgotten while %s", async (_, fault) => {
    expect(await looked([over], fault)).toEqual({ destroyed: [], now: [over] });
  });
});

describe("a channel that is not the application's any more", () => {
  let world: World;
  let router: RunningRouter;
  let answers: SippServer;
  const parts = new AsyncDisposableStack();
  beforeAll(async () => {
    answers = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
    world = await startWorld(toUri(answers));
    parts.defer(() => world.stop());
    router = await startTestRouter(world, { rule: { destinations: [aDestination({ sipUri: toUri(answers) })] } });
    parts.defer(() => router.stop());
  });
  afterAll(() => parts.disposeAsync());

  test("is watched again", async () => {
    const telephony = createTelephony(world.ari, STASIS_APP);
    const result = world.call({ holdMs: 4_000 });
    await eventually("two talk", () => router.log().includes('"to":"bridged"'));
    const [inbound = "", leg = ""] = await telephony.ownChannels();
    // The router looks now and then as well.
    await eventually("the application has lost it", async () => {
      await world.ari.request("DELETE", `/applications/${STASIS_APP}/subscription`, { eventSource: `channel:${leg}` });
      return !(await telephony.ownChannels()).includes(leg);
    });
    const call = adoptCall("one", { bridge: "bridge", inbound, leg }, new Date());
    const calls = { all: () => [call], find: () => call, dispatch: () => undefined, owns: (channel: string) => [inbound, leg].includes(channel) };
    await audit({ calls, telephony, clock: { now: () => new Date() }, logger: silent, connected: () => true });
    expect(await telephony.ownChannels()).toContain(leg);
    expect(await result).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    await world.expectEmpty();
  });
});

test("live calls are compared every 20 seconds, soon after ARI is back, one at a time, and not after the end", async () => {
  vi.useFakeTimers();
  try {
    let [looks, slow] = [0, false];
    const bridges = () => {
      looks += 1;
      return slow ? new Promise<never>(() => undefined) : Promise.resolve([]);
    };
    const nothing = () => Promise.resolve();
    const telephony = { bridges, destroyBridge: nothing, channels: () => Promise.resolve([]), ownChannels: () => Promise.resolve([]), watch: nothing };
    const calls = { all: () => [], find: () => undefined, dispatch: () => undefined, owns: () => false };
    const running = () => startAudit({ calls, telephony, clock: { now: () => new Date() }, logger: silent, connected: () => true });
    const after = async (ms: number) => {
      await vi.advanceTimersByTimeAsync(ms);
      return looks;
    };
    const first = running();
    expect([await after(19_999), await after(1), await after(20_000)]).toEqual([0, 1, 2]);
    first.soon();
    expect([await after(499), await after(1), await after(2_499), await after(1)]).toEqual([2, 3, 3, 4]);
    first.soon();
    first.stop();
    expect(await after(60_000)).toBe(4);
    slow = true;
    const second = running();
    expect(await after(60_000)).toBe(5);
    second.stop();
  } finally {
    vi.useRealTimers();
  }
});
