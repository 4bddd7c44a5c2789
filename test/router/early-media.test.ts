import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { startWire, type Wire } from "../chaos/wire.ts";
import { aDestination } from "../domain/builders.ts";
import { eventually } from "../harness/process.ts";
import { loopbackAddress } from "../harness/ports.ts";
import { type RtpPhone, startRtpPhone } from "../harness/rtp.ts";
import { startSippServer, type SippServer } from "../harness/sipp.ts";
import { CALLER_CANCELS } from "./scenarios.ts";
import { type RuleSpec, type RunningRouter, setRules, startTestRouter, startWorld, toUri, type World } from "./world.ts";

let world: World;
/** Between the router and Asterisk. */
let wire: Wire;
let router: RunningRouter;
/** Their audio. */
let caller: RtpPhone;
let callee: RtpPhone;
let desk: SippServer;
const servers: Record<string, SippServer> = {};
const parts = new AsyncDisposableStack();
/** One call at a time: its parties are heard by these bytes of mu-law. */
const [CALLER_SAYS, CALLEE_SAYS] = [0x21, 0x42];

beforeAll(async () => {
  for (const name of ["answer-200", "busy-486", "no-answer-ring"]) servers[name] = parts.use(await startSippServer({ scenario: `${name}.xml` }));
  world = await startWorld(toUri(servers["answer-200"]!));
  parts.defer(() => world.stop());
  const { ari } = world.asterisk;
  const url = new URL(ari.url);
  wire = await startWire(Number(url.port));
  parts.defer(() => wire.close());
  url.port = String(wire.port);
  router = await startTestRouter({ ...world, config: { ...world.config, ari: { ...ari, url: url.href } } }, { rule: null });
  parts.defer(() => router.stop());
});
afterAll(() => parts.disposeAsync());
afterEach(() => world.expectEmpty());

function to(name: string, ringTimeoutSeconds = 5) {
  return aDestination({ name, sipUri: toUri(servers[name]!), ringTimeoutSeconds });
}

async function withPhones<T>(rule: RuleSpec, body: (call: ReturnType<World["call"]>) => Promise<T>): Promise<T> {
  await using stack = new AsyncDisposableStack();
  const address = await loopbackAddress();
  caller = stack.use(await startRtpPhone(world.carrier));
  callee = stack.use(await startRtpPhone(address));
  desk = stack.use(await startSippServer({ scenario: "early-media-183.xml", address, keys: { rtp: String(callee.port) } }));
  await setRules(world, router, { rule: { destinations: [aDestination({ name: "desk", sipUri: toUri(desk), ringTimeoutSeconds: 10 })], ...rule } });
  const call = world.call({ scenario: "call-audio-answered.xml", holdMs: 2_500, keys: { rtp: String(caller.port) } });
  const invite = await eventually("the callee is called", async () => (await desk.messages()).find(({ startLine }) => startLine.startsWith("INVITE")));
  callee.say(CALLEE_SAYS, { address: /^c=IN IP4 (.*)$/m.exec(invite.body)![1]!, port: Number(/^m=audio (\d+)/m.exec(invite.body)![1]) });
  caller.say(CALLER_SAYS);
  return await body(call);
}

async function finalRecord(before: number) {
  await eventually("the final record", () => router.store.final().length > before);
  return router.store.final().at(-1)!;
}

const states = async () => ((await world.ari.request("GET", "/channels")) as { state: string }[]).map(({ state }) => state);
const BOTH_HEAR = () => caller.heard(CALLEE_SAYS) > 10 && callee.heard(CALLER_SAYS) > 10;

async function expectKeys(): Promise<void> {
  caller.press(7);
  await eventually("the callee got the key", () => callee.keys.includes(7));
  callee.press(5);
  await eventually("the caller got the key", () => caller.keys.includes(5));
  expect([caller.keys, callee.keys]).toEqual([[5], [7]]);
}

describe("a rule that passes early media", () => {
  test("lets both hear each other before the answer, tells the caller so with 183, and carries keys both ways after it", async () => {
    const before = router.store.final().length;
    const result = await withPhones({ earlyMedia: "Pass" }, async (call) => {
      await eventually("both hear each other", BOTH_HEAR);
      expect(await states()).not.toContain("Up");
      await eventually("it is answered", async () => (await states()).every((state) => state === "Up"));
      const [atCaller, atCallee] = [caller.heard(CALLEE_SAYS), callee.heard(CALLER_SAYS)];
      await eventually("they still hear each other", () => caller.heard(CALLEE_SAYS) > atCaller + 10 && callee.heard(CALLER_SAYS) > atCallee + 10);
      await expectKeys();
      return call;
    });
    expect(result).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    const progress = result.messages.find(({ startLine }) => startLine.startsWith("SIP/2.0 183"));
    expect(progress?.body).toContain("m=audio");
    const record = await finalRecord(before);
    expect(record).toMatchObject({ end: "completed", answeredBy: toUri(desk), legs: [{ result: "answered" }] });
    expect(record.answeredAt!.getTime() - record.receivedAt.getTime()).toBeGreaterThan(1_500);
  });

  test("goes on to the next destination when the first is busy, and when it does not answer in time", async () => {
    await setRules(world, router, { rule: { earlyMedia: "Pass", onBusy: "Next", destinations: [to("busy-486"), to("no-answer-ring", 1), to("answer-200")] } });
    const before = router.store.final().length;
    expect(await world.call()).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    const record = await finalRecord(before);
    expect(record).toMatchObject({ end: "completed", answeredBy: toUri(servers["answer-200"]!) });
    expect(record.legs.map(({ result, hangupCause }) => [result, hangupCause])).toEqual([["busy", 17], ["no-answer", 19], ["answered", 16]]);
  });

  test("lets the caller give up while it rings: the destination is cancelled", async () => {
    await setRules(world, router, { rule: { earlyMedia: "Pass", destinations: [to("no-answer-ring")] } });
    const before = router.store.final().length;
    const cancels = async () => (await servers["no-answer-ring"]!.messages()).filter(({ startLine }) => startLine.startsWith("CANCEL")).length;
    const cancelled = await cancels();
    expect(await world.call({ scenario: CALLER_CANCELS })).toMatchObject({ exitCode: 0 });
    expect(await finalRecord(before)).toMatchObject({ end: "abandoned", answeredAt: null, legs: [{ result: "cancelled" }] });
    await eventually("CANCEL at the destination", async () => (await cancels()) > cancelled);
  });

  test("calls a destination when ARI is back whose call was lost with the socket", async () => {
    await setRules(world, router, { rule: { earlyMedia: "Pass", destinations: [to("answer-200", 5)] } });
    const before = router.store.final().length;
    wire.deafAfter(/dialplane-[0-9a-f-]{36}\.0/);
    const result = world.call();
    await eventually("the call of the leg is lost", () => wire.unheard() > 0);
    wire.cut();
    wire.mend();
    expect(await result).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    expect(await finalRecord(before)).toMatchObject({ end: "completed", answeredBy: toUri(servers["answer-200"]!), legs: [{ result: "answered" }] });
  });

  test("is answered by Asterisk itself: ten calls at once get ten bridges", async () => {
    await setRules(world, router, { rule: { earlyMedia: "Pass", destinations: [to("answer-200")] } });
    const before = router.store.final().length;
    expect((await world.call({ calls: 10, rate: 100, holdMs: 300 })).stats).toMatchObject({ successful: 10, failed: 0 });
    await eventually("ten records", () => router.store.final().length === before + 10);
    expect(router.store.final().slice(before).map(({ end, legs }) => [end, legs.length])).toEqual(Array.from({ length: 10 }, () => ["completed", 1]));
  });
});

describe("a rule that does not", () => {
  test("keeps what the callee's side plays from the caller, who hears ringing, until the answer; then both hear each other, and keys go both ways", async () => {
    const result = await withPhones({ earlyMedia: "Ring" }, async (call) => {
      await eventually("it is answered and both hear each other", BOTH_HEAR);
      expect(await states()).toEqual(["Up", "Up"]);
      await expectKeys();
      return call;
    });
    expect(result).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    const told = result.messages.map(({ startLine }) => startLine).filter((line) => /^SIP\/2\.0 (?!100)/.test(line));
    expect(told.slice(0, 2)).toEqual(["SIP/2.0 180 Ringing", "SIP/2.0 200 OK"]);
  });
});
