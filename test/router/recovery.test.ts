import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { parseChannel } from "../../src/adapters/ari/events.ts";
import { readCalls } from "../../src/adapters/postgres/read-calls.ts";
import { dialString, SERVED_FILE, STASIS_APP, trunkEndpoint, VERIFY_CONTEXT } from "../../src/domain/asterisk-names.ts";
import { callId, legId } from "../../src/domain/call/ids.ts";
import type { CallRecord } from "../../src/domain/types.ts";
import { aDestination } from "../domain/builders.ts";
import { eventually, startProcess, temporaryFolder, type TestProcess } from "../harness/process.ts";
import { freshDatabase, type TestDatabase } from "../harness/postgres.ts";
import { type SippCall, startSippServer, type SippServer } from "../harness/sipp.ts";
import type { RouterProcessInput } from "./router-process.ts";
import { answersAndHangsUp, CALLER_WAITS_FOR_BYE } from "./scenarios.ts";
import { startTestRouter, startWorld, toUri, type World } from "./world.ts";

const PROGRAM = fileURLToPath(new URL("./router-process.ts", import.meta.url));

let world: World;
let database: TestDatabase;
let fallback: SippServer;
let answers: SippServer;
let rings: SippServer;
let hangsUp: SippServer;
const parts = new AsyncDisposableStack();

beforeAll(async () => {
  database = await freshDatabase();
  parts.defer(() => database.drop());
  fallback = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
  answers = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
  rings = parts.use(await startSippServer({ scenario: "no-answer-ring.xml" }));
  hangsUp = parts.use(await startSippServer({ scenario: answersAndHangsUp(700) }));
  world = await startWorld(toUri(fallback));
  parts.defer(() => world.stop());
  const first = await startTestRouter(world, { rule: null });
  await first.stop();
});
afterAll(() => parts.disposeAsync());

interface RouterOptions {
  readonly destination: SippServer;
  readonly whisper?: string;
  /** The rule goes by who is calling: nobody is dialled before that is known. */
  readonly asks?: boolean;
  /** And never gets to know. */
  readonly inVain?: boolean;
  readonly signalAt?: RouterProcessInput["signalAt"];
  readonly pod?: string;
  /** Of two at the same time each needs its own. */
  readonly spool?: string;
}

/** Empty in every test. */
let spools = "";

async function startRouter({ destination, whisper, asks = false, inVain = false, signalAt, pod = "pod-0", spool = pod }: RouterOptions): Promise<TestProcess> {
  const folder = await temporaryFolder("router");
  const destinations = [aDestination({ sipUri: toUri(destination), ringTimeoutSeconds: 20, ...(whisper === undefined ? {} : { whisper: { media: whisper } }) })];
  const state = world.state({ rule: { destinations, ...(asks ? { match: { attribution: ["Exclusive"] } } : {}) } });
  const config = { ...world.config, pod, spool: { dir: join(spools, spool), maxBytes: 1_000_000 }, ...(inVain ? { lookUpTimeoutMs: 20_000 } : {}) };
  const input: RouterProcessInput = { config, ...state, databaseUrl: database.url, asksInVain: inVain, ...(signalAt === undefined ? {} : { signalAt }) };
  await writeFile(join(folder.path, "input.json"), JSON.stringify(input), { mode: 0o600 });
  const child = startProcess([process.execPath, PROGRAM, join(folder.path, "input.json")]);
  parts.defer(async () => {
    child.kill("SIGKILL");
    await child.exited;
    await folder.remove();
  });
  await eventually("the router process is ready", () => child.output().includes("READY"), 20_000).catch((error: unknown) => {
    throw new Error(child.output(), { cause: error });
  });
  return child;
}

async function kill(child: TestProcess): Promise<void> {
  child.kill("SIGKILL");
  await child.exited;
}

async function invites(server: SippServer): Promise<number> {
  return (await server.messages()).filter(({ startLine, direction }) => direction === "received" && startLine.startsWith("INVITE")).length;
}

const before = new Map<SippServer, number>();
async function count(): Promise<void> {
  await database.pool.query("delete from call");
  // What the dialplan made of calls of earlier tests is not asked for.
  await rm(join(world.asterisk.configDir, dirname(SERVED_FILE)), { recursive: true });
  await mkdir(join(world.asterisk.configDir, dirname(SERVED_FILE)));
  const folder = await temporaryFolder("spools");
  parts.defer(() => folder.remove());
  spools = folder.path;
  for (const server of [fallback, answers, rings, hangsUp]) before.set(server, await invites(server));
}
async function dialled(server: SippServer): Promise<number> {
  return (await invites(server)) - (before.get(server) ?? 0);
}

/** The one record, once it has an end; after the caller went to the default destination, once it says how that ended. */
async function theRecord(child: TestProcess, handedBack = false): Promise<CallRecord> {
  const isWhole = ({ endedAt, why }: CallRecord) => endedAt !== null && (!handedBack || why.some(({ reason }) => reason === "ServedByDialplan"));
  const closed = async () => {
    const calls = await readCalls(database.pool, {}, { limit: 10 });
    return calls.length > 0 && calls.every(isWhole);
  };
  await eventually("the record has an end", closed, 15_000).catch(async (error: unknown) => {
    throw new Error(`${JSON.stringify(await readCalls(database.pool, {}, { limit: 10 }))} ${child.output()}`, { cause: error });
  });
  const calls = await readCalls(database.pool, {}, { limit: 10 });
  expect(calls).toHaveLength(1);
  return calls[0] as CallRecord;
}

interface Case {
  /** What the router's log says when the state begins. */
  readonly at: string;
  readonly to: () => SippServer;
  readonly asks?: boolean;
  readonly call?: Partial<SippCall>;
  /** How often the default destination is rung after a kill; the rule's own must never be rung twice. */
  readonly fallback: 0 | 1;
  readonly end: CallRecord["end"];
  readonly why: string;
}

const CASES: readonly (readonly [string, Case])[] = [
  ["received", { at: '"to":"received"', to: () => answers, fallback: 1, end: "completed", why: "HandedBack" }],
  ["looked up", { at: '"call routed"', to: () => answers, asks: true, fallback: 1, end: "completed", why: "HandedBack" }],
  ["dialling", { at: '"to":"dialing"', to: () => answers, fallback: 1, end: "completed", why: "HandedBack" }],
  ["answered", { at: '"to":"bridging"', to: () => answers, fallback: 0, end: "completed", why: "RouterRestarted" }],
  ["bridged", { at: '"to":"bridged"', to: () => answers, call: { holdMs: 4_000 }, fallback: 0, end: "completed", why: "RouterRestarted" }],
  ["hanging up", { at: '"to":"ending"', to: () => hangsUp, call: { scenario: CALLER_WAITS_FOR_BYE }, fallback: 0, end: "completed", why: "EndUnobserved" }],
];

describe("a router that is killed (SIGKILL) while a call is", () => {
  test.each(CASES)("%s: the next one brings the call to its end, and the record says how", async (_, { at, to, asks = false, call, fallback: handedBack, end, why }) => {
    await count();
    const killed = await startRouter({ destination: to(), asks, signalAt: { text: at, signal: "SIGKILL" } });
    const result = world.call(call);
    await killed.exited;
    const next = await startRouter({ destination: to() });
    expect(await result).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    const record = await theRecord(next, handedBack === 1);
    await world.expectEmpty();
    expect(record).toMatchObject({ end, answeredBy: toUri(handedBack === 1 ? fallback : to()), pod: "pod-0", did: "+12025550101", caller: "+13125550123", pool: "default/sales" });
    expect(record.why.map(({ reason }) => reason)).toContain(why);
    expect(await dialled(fallback)).toBe(handedBack);
    expect(await dialled(to())).toBe(1 - handedBack);
    await kill(next);
  });

  test("ringing: the caller goes to the default destination, the ringing ends", async () => {
    await count();
    const killed = await startRouter({ destination: rings });
    const result = world.call();
    await eventually("it rings", async () => ((await world.ari.request("GET", "/channels")) as { state: string }[]).some(({ state }) => state === "Ringing"));
    await eventually("its record", async () => (await readCalls(database.pool, {}, { limit: 1 })).length === 1);
    await kill(killed);
    const next = await startRouter({ destination: rings });
    expect(await result).toMatchObject({ exitCode: 0 });
    const record = await theRecord(next, true);
    expect(record).toMatchObject({ end: "completed", answeredBy: toUri(fallback), legs: [{ result: "cancelled" }, { result: "answered" }] });
    expect(record.why.map(({ reason }) => reason)).toContain("HandedBack");
    expect([await dialled(rings), await dialled(fallback)]).toEqual([1, 1]);
    await world.expectEmpty();
    await kill(next);
  });
});

test("a caller who hangs up before there is another router has a record, although the database never heard of the call", async () => {
  await count();
  const killed = await startRouter({ destination: answers, asks: true, inVain: true });
  const result = world.call();
  const spool = join(spools, "pod-0");
  await eventually("it is on the disk", async () => {
    const sizes = await Promise.all((await readdir(spool)).map((name) => stat(join(spool, name))));
    return sizes.some(({ size }) => size > 0);
  });
  await kill(killed);
  expect(killed.output()).not.toMatch(/"to":"(dialing|ending)"/);
  expect(await readCalls(database.pool, {}, { limit: 1 })).toEqual([]);
  const [inbound] = ((await world.ari.request("GET", "/channels")) as unknown[]).map(parseChannel);
  await world.ari.request("DELETE", `/channels/${inbound?.id}`);
  await result;
  const next = await startRouter({ destination: answers });
  const record = await theRecord(next);
  expect(record).toMatchObject({ end: "failed", answeredAt: null, attribution: "unavailable", did: "+12025550101", caller: "+13125550123", legs: [], why: [{ reason: "EndUnobserved" }] });
  expect([await dialled(answers), await dialled(fallback)]).toEqual([0, 0]);
  await world.expectEmpty();
  await kill(next);
});

test("a router that is killed (SIGKILL) while the callee hears its whisper: the next one connects the two, and nobody else is rung", async () => {
  await count();
  const killed = await startRouter({ destination: answers, whisper: "tone:callwaiting" });
  const result = world.call();
  await eventually("the callee answered", () => killed.output().includes('"to":"bridging"'));
  await kill(killed);
  expect(killed.output()).not.toContain('"to":"bridged"');
  const next = await startRouter({ destination: answers });
  expect(await result).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
  expect(await theRecord(next)).toMatchObject({ end: "completed", legs: [{ result: "answered" }] });
  expect([await dialled(answers), await dialled(fallback)]).toEqual([1, 0]);
  await world.expectEmpty();
  await kill(next);
});

test("a router that is stopped (SIGTERM) while it rings: the ringing ends and the caller goes to the default destination, without another router", async () => {
  await count();
  const router = await startRouter({ destination: rings });
  const result = world.call();
  await eventually("it rings", async () => ((await world.ari.request("GET", "/channels")) as { state: string }[]).some(({ state }) => state === "Ringing"));
  router.kill("SIGTERM");
  await router.exited;
  expect(await result).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
  expect(await theRecord(router)).toMatchObject({ end: "failed", answeredAt: null, legs: [{ result: "cancelled" }], why: expect.arrayContaining([expect.objectContaining({ reason: "RouterStopped" })]) as unknown });
  expect([await dialled(rings), await dialled(fallback)]).toEqual([1, 1]);
  await world.expectEmpty();
});

/**
 * A callee who answers while no router is connected is up for a moment and not in the application, before Asterisk hangs up. Here the
 * moment lasts as long as the test wants: the leg waits in the dialplan.
 */
async function aLegThatIsNotOurs(): Promise<string> {
  const [inbound] = ((await world.ari.request("GET", "/channels")) as unknown[]).map(parseChannel);
  if (inbound === undefined) throw new Error("there is no caller");
  const leg = legId(callId(inbound), 0);
  const endpoint = dialString(toUri(answers), trunkEndpoint("default/carrier"));
  await world.ari.request("POST", `/channels/${leg}`, { endpoint, context: VERIFY_CONTEXT, extension: "s", priority: "1", timeout: "10" });
  await world.ari.request("POST", `/applications/${STASIS_APP}/subscription`, { eventSource: `channel:${leg}` });
  const isUp = async () => ((await world.ari.request("GET", `/channels/${leg}`)) as { state: string }).state === "Up";
  await eventually("the callee answered", isUp);
  return leg;
}

test("a router that finds somebody who answered and whom Asterisk is about to hang up: the caller goes to the default destination", async () => {
  await count();
  const killed = await startRouter({ destination: rings, signalAt: { text: '"to":"received"', signal: "SIGKILL" } });
  const result = world.call();
  await killed.exited;
  const leg = await aLegThatIsNotOurs();
  const next = await startRouter({ destination: rings });
  await eventually("the two can't be connected", () => next.output().includes('"command":"AddToBridge"'));
  expect(next.output()).not.toContain('"to":"ending"');
  await world.ari.request("DELETE", `/channels/${leg}`);
  expect(await result).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
  const record = await theRecord(next, true);
  expect(record).toMatchObject({ end: "completed", answeredBy: toUri(fallback) });
  expect(record.why.map(({ reason }) => reason)).toContain("AnsweredUnseen");
  expect([await dialled(answers), await dialled(rings), await dialled(fallback)]).toEqual([1, 0, 1]);
  await world.expectEmpty();
  await kill(next);
});

describe("a router that is stopped (SIGSTOP) and goes on while a call is", () => {
  test.each(CASES)("%s: the call comes to its end as if nothing had been", async (_, { at, to, call }) => {
    await count();
    const router = await startRouter({ destination: to(), signalAt: { text: at, signal: "SIGSTOP" } });
    const result = world.call(call);
    await eventually("it came that far", () => router.output().includes(at));
    await eventually("it stands still", async () => (await world.ari.request("GET", "/channels") as unknown[]).length > 0);
    router.kill("SIGCONT");
    expect(await result).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    expect(await theRecord(router)).toMatchObject({ end: "completed" });
    expect([await dialled(to()), await dialled(fallback)]).toEqual([1, 0]);
    await world.expectEmpty();
    await kill(router);
  });
});

describe("a router of another pod name", () => {
  test("goes on with the call of one that was killed, in the same record", async () => {
    await count();
    const killed = await startRouter({ destination: answers, pod: "pod-0" });
    const result = world.call({ holdMs: 4_000 });
    // Until the database has it, the record is on the disk of the pod alone.
    await eventually("its record", async () => (await readCalls(database.pool, {}, { limit: 1 })).some(({ bridgedAt }) => bridgedAt !== null));
    await kill(killed);
    const next = await startRouter({ destination: answers, pod: "pod-7" });
    expect(await result).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    const record = await theRecord(next);
    expect(record).toMatchObject({ end: "completed", pod: "pod-0", answeredBy: toUri(answers) });
    expect(record.why.map(({ reason }) => reason)).toContain("RouterRestarted");
    await world.expectEmpty();
    await kill(next);
  });
});

describe("two routers on one Asterisk", () => {
  test("the one that came last has the calls; when it dies, the first takes them back", async () => {
    await count();
    const first = await startRouter({ destination: answers });
    const result = world.call({ holdMs: 12_000, timeoutMs: 40_000 });
    await eventually("two talk", () => first.output().includes('"to":"bridged"'));
    const second = await startRouter({ destination: answers, spool: "second" });
    await eventually("the first stands by", () => first.output().includes("standing by"));
    await eventually("the second has the call", () => second.output().includes("found calls of an earlier router"));
    expect(await world.call()).toMatchObject({ exitCode: 0 });
    expect(second.output()).toContain('"call routed"');
    await kill(second);
    await eventually("the first takes over", () => first.output().split("ARI is connected").length > 2, 20_000);
    expect(await result).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    await world.expectEmpty();
    const ended = async () => (await readCalls(database.pool, {}, { limit: 10 })).filter(({ endedAt }) => endedAt !== null).length === 2;
    await eventually("both records have an end", ended, 15_000);
    expect((await readCalls(database.pool, {}, { limit: 10 })).map(({ end }) => end)).toEqual(["completed", "completed"]);
    expect([await dialled(answers), await dialled(fallback)]).toEqual([2, 0]);
    await kill(first);
  });
});
