import { stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { STRANGERS_FILE } from "../../src/domain/asterisk-names.ts";
import { aDestination } from "../domain/builders.ts";
import { loopbackAddress } from "../harness/ports.ts";
import { eventually } from "../harness/process.ts";
import { startSippServer, type SippServer } from "../harness/sipp.ts";
import { refusedWith } from "../adapters/asterisk-config/scenarios.ts";
import { answersAndHangsUp, CALLER_CANCELS, CALLER_WAITS_FOR_BYE } from "./scenarios.ts";
import { DID, type RunningRouter, setRules, startTestRouter, startWorld, toUri, type World } from "./world.ts";

let world: World;
let router: RunningRouter;
const parts = new AsyncDisposableStack();
const servers: Record<string, SippServer> = {};

/** Destinations by what they do. */
const SCENARIOS = {
  answers: "answer-200.xml",
  alsoAnswers: "answer-200.xml",
  hangsUp: answersAndHangsUp(500),
  unknown: "unknown-404.xml",
  busy: "busy-486.xml",
  rings: "no-answer-ring.xml",
  full: "unavailable-503.xml",
  premium: "answer-200.xml",
  fallback: "answer-200.xml",
};

beforeAll(async () => {
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    servers[name] = parts.use(await startSippServer({ scenario }));
  }
  // Premium numbers are where a stolen telephone sends its calls.
  servers["redirects"] = parts.use(await startSippServer({ scenario: "redirect-302.xml", keys: { contact: toUri(servers["premium"]!) } }));
  servers["comesBack"] = parts.use(await startSippServer({ scenario: "redirect-302.xml", keys: { contact: `sip:${DID}@${servers["premium"]!.address}:5060` } }));
  world = await startWorld(toUri(servers["fallback"]!));
  parts.defer(() => world.stop());
  router = await startTestRouter(world, { rule: null });
  parts.defer(() => router.stop());
});
afterAll(() => parts.disposeAsync());
afterEach(async () => {
  await world.expectEmpty();
  await eventually("no live call", () => router.liveCalls() === 0);
});

function to(name: keyof typeof SCENARIOS | "redirects" | "comesBack", ringTimeoutSeconds = 5) {
  return aDestination({ name: name.toLowerCase(), sipUri: toUri(servers[name]!), ringTimeoutSeconds });
}

async function lastRecord(before: number) {
  await eventually("the final record", () => router.store.final().length > before);
  return router.store.final().at(-1)!;
}

async function placeCall(options: Parameters<World["call"]>[0] = {}) {
  const before = router.store.final().length;
  const result = await world.call(options);
  return { result, record: await lastRecord(before) };
}

async function requestsAt(name: keyof typeof SCENARIOS): Promise<string[]> {
  const received = (await servers[name]!.messages()).filter(({ direction }) => direction === "received");
  return received.map(({ startLine }) => startLine.split(" ")[0]!);
}

describe("an answered call", () => {
  test("is bridged, and the caller's BYE ends the other side", async () => {
    await setRules(world, router, { rule: { destinations: [to("answers")] } });
    const { result, record } = await placeCall();
    expect(result).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    await eventually("the callee got BYE", async () => (await requestsAt("answers")).at(-1) === "BYE");
    expect(record).toMatchObject({ end: "completed", rule: "default/rule", attribution: "exclusive", mediaElement: "hero", caller: "+13125550123" });
    expect(record.answeredBy).toBe(toUri(servers["answers"]!));
    expect(record.legs).toMatchObject([{ result: "answered" }]);
    expect(record.bridgedAt).not.toBeNull();
    expect(record.hangupCause).toBe(16);
  });

  test("ends for the caller when the callee hangs up", async () => {
    await setRules(world, router, { rule: { destinations: [to("hangsUp")] } });
    const { result, record } = await placeCall({ scenario: CALLER_WAITS_FOR_BYE });
    expect(result).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    expect(record).toMatchObject({ end: "completed", legs: [{ result: "answered" }] });
  });

  test("ends after maxCallSeconds", async () => {
    await setRules(world, router, { rule: { destinations: [to("answers")], maxCallSeconds: 1 } });
    const { result, record } = await placeCall({ scenario: CALLER_WAITS_FOR_BYE });
    expect(result).toMatchObject({ exitCode: 0 });
    expect(record).toMatchObject({ end: "max-duration" });
  });

  test("without a rule goes to the pool's default destination", async () => {
    await setRules(world, router, { rule: null });
    const { record } = await placeCall();
    expect(record).toMatchObject({ end: "completed", rule: null, answeredBy: toUri(servers["fallback"]!) });
  });
});

describe("the hang-up cause", () => {
  test("of the callee's BYE reaches the caller, in the Reason header (RFC 3326)", async () => {
    await setRules(world, router, { rule: { destinations: [to("hangsUp")] } });
    const { result, record } = await placeCall({ scenario: CALLER_WAITS_FOR_BYE });
    const bye = result.messages.find(({ startLine }) => startLine.startsWith("BYE"));
    expect(bye?.header("Reason")).toBe("Q.850;cause=38");
    expect(record.legs).toMatchObject([{ result: "answered", hangupCause: 38 }]);
  });

  test("of a number that does not exist reaches the caller as 404, and nobody else is rung", async () => {
    await setRules(world, router, { rule: { destinations: [to("unknown"), to("answers")] } });
    const { result, record } = await placeCall({ scenario: refusedWith(404), keys: { headers: "Subject: none" } });
    expect(result).toMatchObject({ exitCode: 0 });
    expect(record).toMatchObject({ end: "declined", hangupCause: 1, legs: [{ result: "declined" }] });
  });
});

describe("a whisper", () => {
  test.each(["sound:beep", "tone:callwaiting"])("%s is heard by the callee alone; then the caller is answered", async (media) => {
    await setRules(world, router, { rule: { destinations: [{ ...to("answers"), whisper: { media } }] } });
    const { result, record } = await placeCall();
    expect(result).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    expect(record).toMatchObject({ end: "completed", legs: [{ result: "answered" }] });
    expect(record.answeredAt!.getTime() - record.legs[0]!.answeredAt!.getTime()).toBeGreaterThan(100);
    expect(router.log()).not.toContain("Asterisk did not do what was asked");
  });

  test("that Asterisk does not know costs nothing but the whisper", async () => {
    await setRules(world, router, { rule: { destinations: [{ ...to("answers"), whisper: { media: "sound:no-such-sound" } }] } });
    const { result, record } = await placeCall();
    expect(result).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    expect(record).toMatchObject({ end: "completed" });
  });

  test("after which the callee hangs up declines the call: the caller gets 403 and nobody else is rung", async () => {
    await setRules(world, router, { rule: { destinations: [{ ...to("hangsUp"), whisper: { media: "sound:tt-weasels" } }, to("answers")] } });
    const { result, record } = await placeCall({ scenario: refusedWith(403), keys: { headers: "Subject: none" } });
    expect(result).toMatchObject({ exitCode: 0 });
    expect(record).toMatchObject({ end: "declined", bridgedAt: null, legs: [{ result: "answered" }] });
  });
});

describe("a destination that is not to be had", () => {
  test("busy with onBusy Next: the next one is rung", async () => {
    await setRules(world, router, { rule: { destinations: [to("busy"), to("answers")], onBusy: "Next" } });
    const { result, record } = await placeCall();
    expect(result).toMatchObject({ exitCode: 0 });
    expect(record.legs).toMatchObject([{ result: "busy", hangupCause: 17 }, { result: "answered" }]);
  });

  test("busy with onBusy Stop: the caller gets 486", async () => {
    await setRules(world, router, { rule: { destinations: [to("busy"), to("answers")], onBusy: "Stop" } });
    const { result, record } = await placeCall({ scenario: refusedWith(486), keys: { headers: "Subject: none" } });
    expect(result).toMatchObject({ exitCode: 0 });
    expect(record).toMatchObject({ end: "busy", hangupCause: 17, bridgedAt: null, legs: [{ result: "busy" }] });
  });

  test("out of capacity: the next one is rung", async () => {
    await setRules(world, router, { rule: { destinations: [to("full"), to("answers")] } });
    const { result, record } = await placeCall();
    expect(result).toMatchObject({ exitCode: 0 });
    expect(record.legs).toMatchObject([{ result: "congestion" }, { result: "answered" }]);
  });

  test("no answer in time: the next one is rung, the first is cancelled", async () => {
    await setRules(world, router, { rule: { destinations: [to("rings", 1), to("answers")] } });
    const { result, record } = await placeCall();
    expect(result).toMatchObject({ exitCode: 0 });
    expect(record.legs).toMatchObject([{ result: "no-answer" }, { result: "answered" }]);
    await eventually("CANCEL at the first", async () => (await requestsAt("rings")).includes("CANCEL"));
    expect(result.messages.map(({ startLine }) => startLine)).toContain("SIP/2.0 180 Ringing");
  });

  test("nobody answers at all: the caller gets 480", async () => {
    await setRules(world, router, { rule: { destinations: [to("rings", 1)] } });
    const { result, record } = await placeCall({ scenario: refusedWith(480), keys: { headers: "Subject: none" } });
    expect(result).toMatchObject({ exitCode: 0 });
    expect(record).toMatchObject({ end: "no-answer", answeredAt: null });
  });

  test("a trunk that does not exist: the next one is rung", async () => {
    const nowhere = { ...to("busy"), trunkRef: { name: "no-such-trunk" } };
    await setRules(world, router, { rule: { destinations: [nowhere, to("answers")] } });
    const { result, record } = await placeCall();
    expect(result).toMatchObject({ exitCode: 0 });
    expect(record.legs).toMatchObject([{ result: "unreachable" }, { result: "answered" }]);
  });

  test.each(["redirects", "comesBack"] as const)("%s (302) is not followed: nobody else's number is paid for, and the next one is rung", async (name) => {
    await setRules(world, router, { rule: { destinations: [to(name), to("answers")] } });
    const before = router.store.final().length;
    const { result, record } = await placeCall();
    expect(router.store.final()).toHaveLength(before + 1);
    expect(result).toMatchObject({ exitCode: 0 });
    expect(record).toMatchObject({ end: "completed", answeredBy: toUri(servers["answers"]!), legs: [{ result: "unreachable" }, { result: "answered" }] });
    expect(await requestsAt("premium")).toEqual([]);
  });

  test("that sends the call elsewhere (302) and is the only one: the caller gets 480", async () => {
    await setRules(world, router, { rule: { destinations: [to("redirects")] } });
    const { result, record } = await placeCall({ scenario: refusedWith(480), keys: { headers: "Subject: none" } });
    expect(result).toMatchObject({ exitCode: 0 });
    expect(record).toMatchObject({ end: "unreachable", answeredBy: null, legs: [{ result: "unreachable" }] });
    expect(await requestsAt("premium")).toEqual([]);
  });

  test("a blocked caller is refused with 403 and nobody is rung", async () => {
    await setRules(world, router, { rule: { destinations: [to("answers")] }, pool: { blockedCallers: ["+1312"] } });
    const { result, record } = await placeCall({ scenario: refusedWith(403), keys: { headers: "Subject: none" } });
    expect(result).toMatchObject({ exitCode: 0 });
    expect(record).toMatchObject({ end: "refused", legs: [] });
  });
});

describe("a call that is not ours to carry", () => {
  test("to a number of no pool is refused with 404, rings nobody, and is counted over reloads", async () => {
    const counted = async () => Number(/dialplane_router_unknown_calls_total (\d+)/.exec(await router.registry.metrics())?.[1]);
    const before = (await Promise.all(["answers", "fallback"].map((name) => requestsAt(name as "answers")))).flat().length;
    await setRules(world, router, { rule: { destinations: [to("answers")] } });
    for (const [calls, number] of [[1, "+12025550110"], [2, "+19005550100"]] as const) {
      expect(await world.call({ to: number, scenario: refusedWith(404), keys: { headers: "Subject: none" } })).toMatchObject({ exitCode: 0 });
      await setRules(world, router, { rule: { destinations: [to("answers")] }, pool: { defaultDestination: { sipUri: toUri(servers[calls === 1 ? "answers" : "fallback"]!) } } });
      await eventually("it is counted", async () => (await counted()) === calls, 15_000);
    }
    expect((await Promise.all(["answers", "fallback"].map((name) => requestsAt(name as "answers")))).flat()).toHaveLength(before);
  });

  test("from an address of no trunk is refused with 401, rings nobody and is counted, whatever From says and wherever it goes", async () => {
    const counted = async () => Number(/dialplane_router_strangers_total (\d+)/.exec(await router.registry.metrics())?.[1]);
    const countedBefore = await counted();
    await setRules(world, router, { rule: { destinations: [to("answers")] } });
    const before = [(await requestsAt("answers")).length, router.store.records.length];
    for (const number of [DID, "+19005550100"]) {
      const stranger = { address: await loopbackAddress(), to: number, scenario: refusedWith(401), keys: { headers: "Subject: none" } };
      expect(await world.call(stranger)).toMatchObject({ exitCode: 0 });
    }
    expect([(await requestsAt("answers")).length, router.store.records.length]).toEqual(before);
    await eventually("they are counted", async () => (await counted()) - countedBefore === 2);
    // What was counted is gone: no router counts it again.
    expect((await stat(join(world.asterisk.configDir, STRANGERS_FILE))).size).toBe(0);
    expect(await world.ari.request("GET", "/channels")).toEqual([]);
  });
});

describe("several destinations at the same time", () => {
  test("the first to answer is connected, the others stop ringing", async () => {
    await setRules(world, router, { rule: { strategy: "Simultaneous", destinations: [to("rings"), to("alsoAnswers")] } });
    const { result, record } = await placeCall();
    expect(result).toMatchObject({ exitCode: 0 });
    expect(record.answeredBy).toBe(toUri(servers["alsoAnswers"]!));
    expect(record.legs.map((leg) => leg.result).sort()).toEqual(["answered", "cancelled"]);
  });
});

describe("a caller who gives up", () => {
  test("while it rings: the destination is cancelled", async () => {
    await setRules(world, router, { rule: { destinations: [to("rings"), to("answers")] } });
    const before = (await requestsAt("answers")).length;
    const { result, record } = await placeCall({ scenario: CALLER_CANCELS });
    expect(result).toMatchObject({ exitCode: 0 });
    expect(record).toMatchObject({ end: "abandoned", answeredAt: null, legs: [{ result: "cancelled" }] });
    expect(await requestsAt("answers")).toHaveLength(before);
  });
});

describe("a database that is slow or gone", () => {
  test("costs the attribution and not the call", async () => {
    await setRules(world, router, { rule: { destinations: [to("answers")] } });
    const context = router.store.context;
    router.store.context = () => new Promise(() => undefined);
    const slow = await placeCall();
    router.store.context = () => Promise.reject(new Error("connection refused"));
    const gone = await placeCall();
    router.store.context = context;
    expect([slow, gone].map(({ result, record }) => [result.exitCode, record.end, record.attribution, record.prospect])).toEqual([
      [0, "completed", "unavailable", null],
      [0, "completed", "unavailable", null],
    ]);
  });

  test("gets the records when it is back, newest state only", async () => {
    await setRules(world, router, { rule: { destinations: [to("answers")] } });
    let failures = 0;
    router.store.onSave = () => {
      failures += 1;
      return failures <= 3 ? Promise.reject(new Error("connection refused")) : Promise.resolve();
    };
    const { record } = await placeCall();
    router.store.onSave = undefined;
    expect(failures).toBeGreaterThan(3);
    expect(router.store.records.filter(({ id }) => id === record.id).at(-1)).toEqual(record);
  });
});

test("ten calls at the same time get ten bridges and ten records", async () => {
  await setRules(world, router, { rule: { destinations: [to("answers")] } });
  const before = router.store.final().length;
  const result = await world.call({ calls: 10, rate: 50, holdMs: 800 });
  expect(result.stats).toMatchObject({ successful: 10, failed: 0 });
  await eventually("ten records", () => router.store.final().length === before + 10);
  const records = router.store.final().slice(before);
  expect(new Set(records.map(({ bridge }) => bridge)).size).toBe(10);
  expect(await router.registry.metrics()).toMatch(/dialplane_router_calls_total\{end="completed"\} [0-9]+/);
});

describe("limits", () => {
  test("of a destination hold when calls race: one too many goes to the next destination", async () => {
    const one = { ...to("answers"), maxConcurrentCalls: 2 };
    await setRules(world, router, { rule: { destinations: [one, to("alsoAnswers")] } });
    const before = router.store.final().length;
    const result = await world.call({ calls: 3, rate: 100, holdMs: 1_500 });
    expect(result.stats).toMatchObject({ successful: 3, failed: 0 });
    await eventually("three records", () => router.store.final().length === before + 3);
    const records = router.store.final().slice(before);
    expect(records.map(({ answeredBy }) => answeredBy).sort()).toEqual([toUri(servers["answers"]!), toUri(servers["answers"]!), toUri(servers["alsoAnswers"]!)].sort());
    expect(records.flatMap(({ legs }) => legs.map((leg) => leg.result)).sort()).toEqual(["answered", "answered", "answered", "congestion"]);
    expect(router.store.seats.size).toBe(0);
  });

  test("of all destinations: who loses the last seat reaches the pool's default destination, and the record says why", async () => {
    await setRules(world, router, { rule: { destinations: [{ ...to("answers"), maxConcurrentCalls: 1 }, { ...to("alsoAnswers"), maxConcurrentCalls: 1 }] } });
    const before = router.store.final().length;
    expect((await world.call({ calls: 3, rate: 100, holdMs: 1_500 })).stats).toMatchObject({ successful: 3, failed: 0 });
    await eventually("three records", () => router.store.final().length === before + 3);
    const records = router.store.final().slice(before);
    expect(records.map(({ answeredBy }) => answeredBy).sort()).toEqual(["answers", "alsoAnswers", "fallback"].map((name) => toUri(servers[name]!)).sort());
    const last = records.find(({ answeredBy }) => answeredBy === toUri(servers["fallback"]!))!;
    expect(last).toMatchObject({ end: "completed", legs: [{ result: "congestion" }, { result: "congestion" }, { result: "answered" }] });
    expect(last.why.map(({ reason }) => reason)).toEqual(["Matched", "AllDestinationsFull"]);
    expect(router.store.seats.size).toBe(0);
  });

  test("of a trunk: the caller of one call too many gets 503, and the seat is free after the first call", async () => {
    const rules = { rule: { destinations: [to("answers")] }, limits: { maxConcurrentCalls: 1 } };
    await setRules(world, router, rules);
    const first = world.call({ holdMs: 2_500 });
    await eventually("the first call's seat", () => router.store.seats.size === 1);
    const second = await placeCall({ scenario: refusedWith(503), keys: { headers: "Subject: none" } });
    expect(second.result).toMatchObject({ exitCode: 0 });
    expect(second.record).toMatchObject({ end: "congestion", hangupCause: 34, legs: [{ result: "congestion" }] });
    expect(await first).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    await eventually("the seat is free", () => router.store.seats.size === 0);
    expect((await placeCall()).record).toMatchObject({ end: "completed" });
    expect(await router.registry.metrics()).toMatch(/dialplane_router_limited_total\{limit="trunk"\} 1/);
  });

  test("of calls a second: more wait for their turn, and who would wait for more than two seconds gets 503", async () => {
    await setRules(world, router, { rule: { destinations: [to("answers")] }, limits: { maxCallsPerSecond: 1 } });
    const before = router.store.final().length;
    const result = await world.call({ calls: 5, rate: 100, holdMs: 100 });
    expect(result.stats).toMatchObject({ successful: 3, failed: 2 });
    await eventually("five records", () => router.store.final().length === before + 5);
    expect(router.store.final().slice(before).map(({ end }) => end).sort()).toEqual(["completed", "completed", "completed", "congestion", "congestion"]);
  });
});
