import { once } from "node:events";
import { appendFile } from "node:fs/promises";
import { type IncomingMessage, request as httpRequest } from "node:http";
import { join } from "node:path";
import { Registry } from "prom-client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { type Endpoint, listenForHealth, sendJson } from "../../src/adapters/http/health-server.ts";
import { SERVED_FILE } from "../../src/domain/asterisk-names.ts";
import type { Drain } from "../../src/router/drain.ts";
import { drainEndpoint } from "../../src/router/drain-endpoint.ts";
import { drainCommand } from "../../src/router/drain-command.ts";
import { Health } from "../../src/shared/health.ts";
import { aDestination } from "../domain/builders.ts";
import { freeTcpPort } from "../harness/ports.ts";
import { eventually } from "../harness/process.ts";
import { startSippServer, type SippServer } from "../harness/sipp.ts";
import { answersLate } from "./scenarios.ts";
import { type RunningRouter, setRules, startTestRouter, startWorld, toUri, type World } from "./world.ts";

let world: World;
let fallback: SippServer;
let answers: SippServer;
let late: SippServer;
const parts = new AsyncDisposableStack();

beforeAll(async () => {
  fallback = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
  answers = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
  late = parts.use(await startSippServer({ scenario: answersLate(1_500) }));
  world = await startWorld(toUri(fallback));
  parts.defer(() => world.stop());
});
afterAll(() => parts.disposeAsync());
afterEach(() => world.expectEmpty());

interface Pod {
  readonly router: RunningRouter;
  readonly url: string;
  /** `dialplane drain` of this pod. */
  drain(seconds?: number): Promise<{ readonly code: number; readonly output: string }>;
  stop(): Promise<void>;
}

async function startPod(destination: SippServer, at = world): Promise<Pod> {
  const router = await startTestRouter(at, { rule: null });
  await setRules(at, router, { rule: { destinations: [aDestination({ sipUri: toUri(destination) })] } });
  const port = await freeTcpPort();
  const health = new Health();
  health.register("router", () => router.ready());
  const close = await listenForHealth(port, { health, registry: new Registry(), further: { "/drain": drainEndpoint(router.drain) } });
  return {
    router,
    url: `http://127.0.0.1:${port}`,
    drain: async (seconds = 60) => {
      const written: string[] = [];
      const out = { write: (text: string) => written.push(text) };
      const env = { DIALPLANE_HEALTH_PORT: String(port), DIALPLANE_DRAIN_SECONDS: String(seconds) };
      return { code: await drainCommand(env, { stdout: out, stderr: out }), output: written.join("") };
    },
    stop: async () => {
      await close();
      await router.stop();
    },
  };
}

const channels = async () => ((await world.ari.request("GET", "/channels")) as { state: string }[]).map(({ state }) => state);

describe("a pod that is drained", () => {
  test("without calls is done at once, not ready any more, and refuses new calls with 503", async () => {
    const pod = await startPod(answers);
    expect((await fetch(`${pod.url}/readyz`)).status).toBe(200);
    expect(await pod.drain()).toMatchObject({ code: 0, output: expect.stringContaining("drained") as string });
    const readiness = await fetch(`${pod.url}/readyz`);
    expect([readiness.status, await readiness.text()]).toEqual([503, expect.stringContaining("draining")]);
    const refused = await world.call();
    expect(refused.stats).toMatchObject({ successful: 0, failed: 1 });
    expect(refused.messages.some(({ startLine }) => startLine.startsWith("SIP/2.0 503"))).toBe(true);
    expect(pod.router.store.records).toEqual([]);
    await pod.stop();
  });

  test("with a call that two talk in waits for its end", async () => {
    const pod = await startPod(answers);
    const call = world.call({ holdMs: 2_000 });
    await eventually("they talk", () => pod.router.log().includes('"to":"bridged"'));
    const drained = pod.drain();
    await eventually("it drains", () => pod.router.drain.draining);
    expect(await call).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    expect(await drained).toMatchObject({ code: 0 });
    expect(pod.router.store.final()).toMatchObject([{ end: "completed" }]);
    await pod.stop();
  });

  test("with a call that still rings lets it be answered and come to its end", async () => {
    const pod = await startPod(late);
    const call = world.call({ holdMs: 300 });
    await eventually("it is dialled", () => pod.router.log().includes('"to":"dialing"'));
    const drained = pod.drain();
    expect(await call).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    expect(await drained).toMatchObject({ code: 0 });
    expect(pod.router.store.final()).toMatchObject([{ end: "completed", legs: [{ result: "answered" }] }]);
    await pod.stop();
  });

  test("gives up at its deadline and says what is left; the call goes on", async () => {
    const pod = await startPod(answers);
    const call = world.call({ holdMs: 3_000 });
    await eventually("they talk", () => pod.router.log().includes('"to":"bridged"'));
    expect(await pod.drain(1)).toMatchObject({ code: 1, output: expect.stringContaining("not drained within 1 s: 2 channels") as string });
    expect(await channels()).toEqual(["Up", "Up"]);
    expect(await call).toMatchObject({ exitCode: 0 });
    await eventually("its record", () => pod.router.store.final().length === 1);
    await pod.stop();
  });

  test("waits for records that the database does not take", async () => {
    const pod = await startPod(answers);
    let away = true;
    pod.router.store.onSave = () => (away ? Promise.reject(new Error("away")) : Promise.resolve());
    expect(await world.call()).toMatchObject({ exitCode: 0 });
    await world.expectEmpty();
    expect(await pod.drain(1)).toMatchObject({ code: 1, output: expect.stringMatching(/not drained within 1 s: 0 channels, [12] records/) as string });
    away = false;
    expect(await pod.drain()).toMatchObject({ code: 0 });
    await pod.stop();
  });

  test("waits for calls that the dialplan served and the database does not take", async () => {
    const pod = await startPod(answers);
    const take = pod.router.store.saveServedCalls.bind(pod.router.store);
    pod.router.store.saveServedCalls = () => Promise.reject(new Error("away"));
    const line = "1|1795911968.2|YQ==|acme/sales|+12025550199|acme/carrier|+12025550110|allowed|+13125550123|1795911969047|1795911970259|ANSWER|1207|16";
    await appendFile(join(world.asterisk.configDir, SERVED_FILE), `${line}\n`);
    expect(await pod.drain(1)).toMatchObject({ code: 1, output: expect.stringContaining("not drained within 1 s: 0 channels, 1 records") as string });
    pod.router.store.saveServedCalls = take;
    expect(await pod.drain()).toMatchObject({ code: 0 });
    expect(pod.router.store.served).toMatchObject([{ pool: "acme/sales" }]);
    await pod.stop();
  });
});

test("a pod whose Asterisk has ended is drained as soon as that has lasted for ten seconds", async () => {
  await using own = new AsyncDisposableStack();
  const ending = await startWorld(toUri(fallback));
  const pod = await startPod(answers, ending);
  own.defer(() => pod.stop());
  await ending.stop();
  const before = performance.now();
  const { code, output } = await pod.drain(20);
  expect([code, output]).toEqual([0, "draining: Asterisk can't be asked, 0 calls are live, 0 records to write\ndrained\n"]);
  expect(performance.now() - before).toBeGreaterThan(9_500);
});

/** What routers in a state that is hard to bring about would report. */
async function drainOf(reports: readonly object[], seconds: number): Promise<number> {
  const port = await freeTcpPort();
  const waiting = [...reports];
  const report: Endpoint = (_, response) => {
    const next = waiting.length > 1 ? waiting.shift() : waiting[0];
    sendJson(response, 200, { draining: true, channels: null, calls: 0, records: 0, ...next });
    return Promise.resolve();
  };
  const close = await listenForHealth(port, { health: new Health(), registry: new Registry(), further: { "/drain": report } });
  const out = { write: () => undefined };
  const code = await drainCommand({ DIALPLANE_HEALTH_PORT: String(port), DIALPLANE_DRAIN_SECONDS: String(seconds) }, { stdout: out, stderr: out });
  await close();
  return code;
}

test.concurrent.each([
  ["a live call", [{ calls: 1 }]],
  ["a record to write", [{ records: 1 }]],
  ["an Asterisk that answers again with calls", [...Array.from({ length: 10 }, () => ({})), { channels: 2 }, {}]],
])("a pod whose Asterisk can't be asked is not drained with %s", async (_, reports) => {
  expect(await drainOf(reports, 12)).toBe(1);
});

test.each([["127.0.0.1", 200, true], ["127.0.0.6", 403, false]] as const)("asked to drain from %s, a pod answers %d", async (localAddress, status, begun) => {
  const port = await freeTcpPort();
  let begins = false;
  const report = () => Promise.resolve({ draining: begins, channels: 0, calls: 0, records: 0 });
  const drain: Drain = { draining: false, begin: () => void (begins = true), report, refuse: () => undefined };
  const close = await listenForHealth(port, { health: new Health(), registry: new Registry(), further: { "/drain": drainEndpoint(drain) } });
  try {
    const request = httpRequest({ host: "127.0.0.1", port, path: "/drain", method: "POST", localAddress }).end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.resume();
    expect([response.statusCode, begins]).toEqual([status, begun]);
  } finally {
    await close();
  }
});

describe("dialplane drain", () => {
  test("says so when there is no router", async () => {
    const written: string[] = [];
    const out = { write: (text: string) => written.push(text) };
    expect(await drainCommand({ DIALPLANE_HEALTH_PORT: String(await freeTcpPort()) }, { stdout: out, stderr: out })).toBe(1);
    expect(written.join("")).toContain("the router can't be asked");
  });

  test("names what is wrong in its environment", async () => {
    await expect(drainCommand({ DIALPLANE_DRAIN_SECONDS: "soon" }, process)).rejects.toThrow("DIALPLANE_DRAIN_SECONDS: must be a whole number from 1 to 86400");
  });
});
