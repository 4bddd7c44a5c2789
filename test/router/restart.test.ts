import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { createTelephony } from "../../src/adapters/ari/telephony.ts";
import { isFallbackContext, STASIS_APP } from "../../src/domain/asterisk-names.ts";
import { aDestination } from "../domain/builders.ts";
import { eventually, startProcess, temporaryFolder, type TestProcess } from "../harness/process.ts";
import { type SippResult, startSippServer, type SippServer } from "../harness/sipp.ts";
import { answersAndHangsUp, CALLER_WAITS_FOR_BYE } from "./scenarios.ts";
import { setRules, startTestRouter, startWorld, toUri, type World } from "./world.ts";

const PROGRAM = fileURLToPath(new URL("./router-process.ts", import.meta.url));

let world: World;
let fallback: SippServer;
let answers: SippServer;
let hangsUp: SippServer;
let rings: SippServer;
const parts = new AsyncDisposableStack();

beforeAll(async () => {
  fallback = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
  answers = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
  hangsUp = parts.use(await startSippServer({ scenario: answersAndHangsUp(2_500) }));
  rings = parts.use(await startSippServer({ scenario: "no-answer-ring.xml" }));
  world = await startWorld(toUri(fallback));
  parts.defer(() => world.stop());
  // Leaves its dialplan in Asterisk, as an earlier run would.
  const first = await startTestRouter(world, { rule: null });
  await first.stop();
});
afterAll(() => parts.disposeAsync());
afterEach(() => world.expectEmpty());

async function startRouterProcess(destination: SippServer): Promise<TestProcess> {
  const folder = await temporaryFolder("router");
  const state = world.state({ rule: { destinations: [aDestination({ sipUri: toUri(destination), ringTimeoutSeconds: 20 })] } });
  const file = join(folder.path, "input.json");
  await writeFile(file, JSON.stringify({ config: world.config, ...state }), { mode: 0o600 });
  const child = startProcess([process.execPath, PROGRAM, file]);
  parts.defer(async () => {
    child.kill("SIGKILL");
    await child.exited;
    await folder.remove();
  });
  await eventually("the router process is ready", () => child.output().includes("READY")).catch((error: unknown) => {
    throw new Error(child.output(), { cause: error });
  });
  return child;
}

async function kill(child: TestProcess): Promise<void> {
  child.kill("SIGKILL");
  await child.exited;
}

async function talking(): Promise<void> {
  await eventually("two channels in a bridge", async () => {
    const bridges = (await world.ari.request("GET", "/bridges")) as { channels: string[] }[];
    const channels = (await world.ari.request("GET", "/channels")) as { state: string }[];
    return bridges[0]?.channels.length === 2 && channels.every(({ state }) => state === "Up");
  });
}

async function answeredCalls(server: SippServer): Promise<number> {
  return (await server.messages()).filter(({ startLine, direction }) => direction === "received" && startLine.startsWith("INVITE")).length;
}

describe("no router", () => {
  test("at all: the dialplan rings the pool's default destination", async () => {
    const before = await answeredCalls(fallback);
    expect(await world.call()).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    expect(await answeredCalls(fallback)).toBe(before + 1);
  });

  test("that moves: a hung one does not keep the caller waiting", async () => {
    const child = await startRouterProcess(answers);
    child.kill("SIGSTOP");
    const before = await answeredCalls(fallback);
    expect(await world.call()).toMatchObject({ exitCode: 0 });
    expect(await answeredCalls(fallback)).toBe(before + 1);
    await kill(child);
  });

  test("that knows the pool: the call is handed back and answered", async () => {
    const router = await startTestRouter(world, { rule: null });
    const { snapshot } = world.state({ rule: null });
    router.store.change({ snapshot: { ...snapshot, pools: [] } });
    await eventually("the router forgot the pool", () => router.log().includes('"pools":0'));
    const before = await answeredCalls(fallback);
    expect(await world.call()).toMatchObject({ exitCode: 0 });
    expect(await answeredCalls(fallback)).toBe(before + 1);
    await eventually("its record", () => router.store.final().length === 1);
    expect(router.store.final()[0]).toMatchObject({ end: "failed", legs: [], why: [{ reason: "PoolUnknown" }] });
    // What the dialplan made of it is of the same call.
    await eventually("how it went on", () => router.store.served.length > 0, 15_000);
    expect(router.store.served.at(-1)).toMatchObject({ id: router.store.final()[0]!.id, end: "completed", answeredBy: toUri(fallback) });
    await router.stop();
  });
});

describe("a caller who talks to the default destination", () => {
  test("is not the next router's, even where the application was asked to watch the channel", async () => {
    const first = await startTestRouter(world, { rule: null });
    const { snapshot } = world.state({ rule: null });
    first.store.change({ snapshot: { ...snapshot, pools: [] } });
    await eventually("the router forgot the pool", () => first.log().includes('"pools":0'));
    const call = world.call({ holdMs: 4_000 });
    const channels = async () => (await world.ari.request("GET", "/channels")) as { id: string; state: string; dialplan: { context: string } }[];
    const caller = await eventually("two talk", async () => {
      const all = await channels();
      return all.length === 2 && all.every(({ state }) => state === "Up") ? all.find(({ dialplan }) => isFallbackContext(dialplan.context)) : undefined;
    });
    const telephony = createTelephony(world.ari, STASIS_APP);
    await telephony.watch(caller.id);
    await first.stop();
    const next = await startTestRouter(world, { rule: null });
    expect(await telephony.ownChannels()).toContain(caller.id);
    expect(await channels()).toHaveLength(2);
    expect(await call).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    await next.stop();
  });
});

describe("a router that is killed (SIGKILL)", () => {
  /** Fails when the call is over before `seen`. */
  async function killOnce(seen: () => Promise<void>, call: Promise<SippResult>, child: TestProcess): Promise<void> {
    const over = call.then((result) => {
      throw new Error(`the call was over: ${result.errors} ${child.output()}`);
    });
    await Promise.race([seen(), over]);
    over.catch(() => undefined);
    await kill(child);
  }

  test("in the middle of a call: the call goes on, the next router adopts it, and the caller's BYE ends both", async () => {
    const child = await startRouterProcess(answers);
    const call = world.call({ holdMs: 2_500 });
    await killOnce(talking, call, child);
    await talking();
    const next = await startRouterProcess(answers);
    await talking();
    expect(next.output()).toContain("found calls of an earlier router");
    expect(await call).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    await world.expectEmpty();
    await kill(next);
  });

  test("in the middle of a call: the callee's BYE ends both as well", async () => {
    const child = await startRouterProcess(hangsUp);
    const call = world.call({ scenario: CALLER_WAITS_FOR_BYE });
    await killOnce(talking, call, child);
    const next = await startRouterProcess(hangsUp);
    expect(await call).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    await world.expectEmpty();
    await kill(next);
  });

  test("and one side hung up meanwhile: the next router ends the other", async () => {
    const child = await startRouterProcess(answers);
    const call = world.call({ holdMs: 1_000 });
    await killOnce(talking, call, child);
    expect(await call).toMatchObject({ exitCode: 0 });
    expect((await world.ari.request("GET", "/channels")) as unknown[]).toHaveLength(1);
    const next = await startRouterProcess(answers);
    await world.expectEmpty();
    await kill(next);
  });

  test("while it rings: the next router gives the caller to the default destination", async () => {
    const child = await startRouterProcess(rings);
    const before = await answeredCalls(fallback);
    const ringing = async () => {
      await eventually("it rings", async () => ((await world.ari.request("GET", "/channels")) as { state: string }[]).some(({ state }) => state === "Ringing"));
    };
    const call = world.call();
    await killOnce(ringing, call, child);
    const next = await startRouterProcess(rings);
    expect(await call).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    expect(await answeredCalls(fallback)).toBe(before + 1);
    await world.expectEmpty();
    await kill(next);
  });
});

describe("a router that is stopped", () => {
  test("leaves its calls to Asterisk and writes the records it has", async () => {
    const router = await startTestRouter(world, { rule: null });
    await setRules(world, router, { rule: { destinations: [aDestination({ sipUri: toUri(answers) })] } });
    const call = world.call({ holdMs: 1_500 });
    await talking();
    await router.stop();
    await talking();
    expect(router.store.records.at(-1)).toMatchObject({ endedAt: null, legs: [{ result: "answered" }] });
    const next = await startTestRouter(world, { rule: null });
    expect(await call).toMatchObject({ exitCode: 0 });
    await world.expectEmpty();
    expect(next.liveCalls()).toBe(0);
    await next.stop();
  });
});
