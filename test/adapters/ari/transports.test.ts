import { randomUUID } from "node:crypto";
import { Writable } from "node:stream";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { createAriClientTransport } from "../../../src/adapters/ari/ari-client.ts";
import { type AriConnection, type AriLane, type AriOptions, createAriClient } from "../../../src/adapters/ari/client.ts";
import { type AriEvent, WANTED_EVENTS } from "../../../src/adapters/ari/events.ts";
import { createTelephony } from "../../../src/adapters/ari/telephony.ts";
import type { ExpectedError } from "../../../src/domain/errors.ts";
import { startTestAsterisk, type TestAsterisk } from "../../harness/asterisk.ts";
import { eventually } from "../../harness/process.ts";
import { type Gate, startGate } from "./gate.ts";

/** One contract for everything that carries ARI. */
function laneOf({ lanes }: AriConnection): AriLane {
  const [lane] = lanes;
  if (lane === undefined) throw new Error("it has no lane");
  return lane;
}

const TRANSPORTS: readonly [string, (options: AriOptions) => AriConnection][] = [
  ["REST over WebSocket", createAriClient],
  ["ari-client", createAriClientTransport],
];

/** Somebody who answers and stays. */
const DIALPLAN = "[contract]\nexten => 1,1,Answer()\n same => n,Wait(60)\n";

let asterisk: TestAsterisk;
beforeAll(async () => {
  asterisk = await startTestAsterisk({ files: { "extensions.d/contract.conf": DIALPLAN } });
});
afterAll(() => asterisk.stop());

interface Subject {
  readonly ari: AriConnection;
  readonly app: string;
  readonly gate: Gate;
  readonly events: AriEvent[];
  readonly downs: string[];
  readonly ups: () => number;
  readonly log: () => string;
}

describe.each(TRANSPORTS)("%s", (_, create) => {
  const cleanUp: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });

  async function subject(of: Partial<AriOptions> = {}, mode: Gate["mode"] = "open"): Promise<Subject> {
    const gate = await startGate(asterisk.ari.url);
    gate.mode = mode;
    cleanUp.push(async () => gate[Symbol.asyncDispose]());
    const events: AriEvent[] = [];
    const downs: string[] = [];
    let ups = 0;
    let log = "";
    const logger = pino({ level: "debug" }, new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        log += chunk.toString("utf8");
        done();
      },
    }));
    const app = of.app ?? `contract-${randomUUID().slice(0, 8)}`;
    const ari = create({
      ...asterisk.ari,
      url: gate.url,
      app,
      logger,
      onEvent: (event) => events.push(event),
      onUp: () => (ups += 1),
      onDown: (reason) => downs.push(reason),
      pauses: { firstMs: 20, longestMs: 50 },
      ...of,
    });
    cleanUp.push(() => ari.stop());
    ari.start();
    return { ari, app, gate, events, downs, ups: () => ups, log: () => log };
  }

  async function connected(of: Partial<AriOptions> = {}): Promise<Subject> {
    const it = await subject(of);
    await eventually("it is connected", () => it.ari.connected, 20_000).catch((error: unknown) => {
      throw new Error(it.log(), { cause: error });
    });
    return it;
  }

  const unavailable = expect.objectContaining({ code: "Unavailable" }) as ExpectedError;

  test("says once that it is up, and has asked Asterisk for the events that are wanted alone", async () => {
    const { ari, app, ups, downs } = await connected();
    const { events_allowed: allowed } = (await ari.request("GET", `/applications/${app}`)) as { events_allowed: { type: string }[] };
    const names = allowed.map(({ type }) => type).filter((type) => type !== "RESTResponse");
    expect(names.sort()).toEqual(WANTED_EVENTS.filter((type) => type !== "RESTResponse").sort());
    expect([ups(), downs]).toEqual([1, []]);
  });

  test("carries what a router does with a channel, and its events", async () => {
    const { ari, app, events } = await connected();
    const telephony = createTelephony(ari, app);
    const [inbound, bridge] = [`inbound/${randomUUID()} %`, `bridge/${randomUUID()} %`];
    await ari.request("POST", `/channels/${encodeURIComponent(inbound)}`, { endpoint: "Local/1@contract", app, appArgs: "one,two words", timeout: "10" }, { variables: { GREETING: "a=b&c %" } });
    const started = await eventually("it entered the application", () => events.find((event) => event.type === "StasisStart" && event.channel.id === inbound));
    expect(started).toMatchObject({ args: ["one", "two words"] });
    expect(await telephony.variable(inbound, "GREETING")).toBe("a=b&c %");
    expect(await telephony.ownChannels()).toContain(inbound);
    await telephony.createBridge(bridge, true);
    await telephony.addToBridge(bridge, [inbound]);
    expect((await telephony.bridges()).find(({ id }) => id === bridge)?.channels).toEqual([inbound]);
    await telephony.hangUp(inbound, 17);
    await eventually("it left the application", () => events.some((event) => event.type === "StasisEnd" && event.channel.id === inbound));
    await telephony.destroyBridge(bridge);
    // Asterisk answers first and takes the bridge apart then.
    await eventually("the bridge is gone", async () => (await telephony.bridges()).every(({ id }) => id !== bridge));
    expect(WANTED_EVENTS).toEqual(expect.arrayContaining([...new Set(events.map(({ type }) => type))]));
  });

  type Refusal = readonly [number, "GET" | "POST" | "DELETE", string, Record<string, string>?];
  test.each<[string, Refusal]>([
    ["a channel that is not there", [404, "GET", "/channels/nobody"]],
    ["a hang-up of a channel that went", [404, "DELETE", "/channels/nobody", { reason_code: "16" }]],
    ["a bridge that is not there", [404, "POST", "/bridges/nobody/addChannel", { channel: "nobody" }]],
    ["a path of nothing", [404, "GET", "/nothing/at/all"]],
    ["a parameter that is missing", [400, "POST", "/channels", { timeout: "10" }]],
  ])("tells the status of an error: %s", async (_case, [status, ...request]) => {
    const { ari } = await connected();
    await expect(ari.request(...request)).rejects.toMatchObject({ name: "AriError", status });
  });

  test("answers many requests at once, each with its own", async () => {
    const { ari } = await connected();
    const ids = Array.from({ length: 60 }, (_element, n) => `many-${n}-${randomUUID()}`);
    const made = await Promise.all(ids.map((id) => ari.request("POST", `/bridges/${id}`, { type: "mixing" })));
    expect(made).toMatchObject(ids.map((id) => ({ id })));
    await Promise.all(ids.map((id) => ari.request("DELETE", `/bridges/${id}`)));
  });

  test("does what calls ask for about one channel or bridge in that order, without waiting for an answer", async () => {
    const { ari, app, events } = await connected();
    const telephony = createTelephony(laneOf(ari), app);
    const channel = `ordered-${randomUUID()}`;
    await ari.request("POST", `/channels/${channel}`, { endpoint: "Local/1@contract", app, timeout: "10" });
    await eventually("it entered the application", () => events.some((event) => event.type === "StasisStart" && event.channel.id === channel));
    for (let turn = 0; turn < 40; turn += 1) {
      const bridge = `ordered-${turn}-${randomUUID()}`;
      const asked = [telephony.createBridge(bridge, false), telephony.addToBridge(bridge, [channel]), telephony.destroyBridge(bridge)];
      expect((await Promise.allSettled(asked)).map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
    }
    await telephony.hangUp(channel, 16);
  });

  test("what calls ask for keeps nothing else waiting, and how long it waits is known", async () => {
    const { ari } = await connected();
    const lane = laneOf(ari);
    expect(lane.behindMs).toBe(0);
    const bridges = Array.from({ length: 400 }, () => `behind-${randomUUID()}`);
    let answered = 0;
    const asked = bridges.map((id) => lane.request("POST", `/bridges/${id}`, { type: "mixing" }).then(() => (answered += 1)));
    await Promise.all([ari, ...ari.lanes.slice(1)].map((other) => other.request("GET", "/asterisk/ping")));
    expect([answered < bridges.length, lane.behindMs > 0]).toEqual([true, true]);
    await Promise.all(asked);
    expect(lane.behindMs).toBe(0);
    await Promise.all(bridges.map((id) => lane.request("DELETE", `/bridges/${id}`)));
  });

  test("a connection that is cut is told, what was asked is Unavailable, and it is made again", async () => {
    const { ari, gate, downs, ups } = await connected();
    gate.mode = "refuse";
    const asked = ari.request("GET", "/asterisk/info").then(() => "answered", (error: unknown) => error);
    gate.cut();
    expect(["answered", unavailable]).toContainEqual(await asked);
    await eventually("it is down", () => downs.length === 1);
    expect(ari.connected).toBe(false);
    await expect(ari.request("GET", "/asterisk/info")).rejects.toEqual(unavailable);
    await expect(laneOf(ari).request("GET", "/asterisk/info")).rejects.toEqual(unavailable);
    gate.mode = "open";
    await eventually("it is up again", () => ups() === 2, 20_000);
    expect(await ari.request("GET", "/asterisk/info")).toMatchObject({ system: {} });
    expect(await laneOf(ari).request("GET", "/asterisk/info")).toMatchObject({ system: {} });
    expect(downs).toHaveLength(1);
  });

  test("a peer that is silent counts as gone", async () => {
    const { gate, downs, ups } = await connected({ pingIntervalMs: 200 });
    gate.silence();
    await eventually("it is down", () => downs.length === 1);
    gate.cut();
    await eventually("it is up again", () => ups() === 2, 20_000);
  });

  test.each(["refuse", "loading"] as const)("goes on for ever while Asterisk says %s", async (mode) => {
    const { gate, ups } = await subject({}, mode);
    // The library behind one of the transports gives up after ten tries.
    await eventually("it tried fifteen times", () => gate.tried >= 15, 30_000);
    expect(ups()).toBe(0);
    gate.mode = "open";
    await eventually("it is up", () => ups() === 1, 20_000);
  });

  test("leaves the application to another router that takes it over, until that one is gone", async () => {
    let replaced = 0;
    const first = await connected({ onReplaced: () => (replaced += 1) });
    const second = await connected({ app: first.app });
    await eventually("the first stands by", () => replaced === 1 && !first.ari.connected);
    expect(first.log()).toContain("standing by");
    await second.ari.stop();
    await eventually("the first is back", () => first.ups() === 2, 30_000);
    expect([replaced, second.ups()]).toEqual([1, 1]);
  }, 60_000);

  test("comes back as often as it is cut", async () => {
    const { gate, ups } = await connected();
    for (let turn = 2; turn <= 5; turn += 1) {
      gate.cut();
      await eventually(`it is up for time ${turn}`, () => ups() === turn, 20_000);
    }
  });

  test("a wrong password is no reason to stop, and no reason to write it anywhere", async () => {
    const password = "a-wrong-and-secret-password";
    const { ups, log } = await subject({ password });
    await eventually("it tried again", () => log().split("ARI is not connected, trying again").length > 4, 20_000);
    expect(ups()).toBe(0);
    expect(log()).not.toContain(password);
    expect(log()).not.toContain("api_key");
  });

  test("once stopped it asks for nothing any more", async () => {
    const { ari, gate, ups } = await connected();
    await ari.stop();
    expect(ari.connected).toBe(false);
    await expect(ari.request("GET", "/asterisk/info")).rejects.toEqual(unavailable);
    const tried = gate.tried;
    // Far longer than the pause between two tries.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect([gate.tried - tried <= 1, ups()]).toEqual([true, 1]);
  });
});
