import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import express, { type Request, type Response } from "express";
import { Gauge } from "prom-client";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { DevicePush, NumberClaims, Presence, Prospects } from "../../src/domain/ports.ts";
import { createTokenSigner } from "../../src/domain/puid.ts";
import { deviceRoutes } from "../../src/ingress/device-routes.ts";
import { Identities } from "../../src/ingress/identities.ts";
import { jsonBody } from "../../src/ingress/json-body.ts";
import { Newcomers } from "../../src/ingress/newcomers.ts";
import { createIngressMetrics } from "../../src/ingress/metrics.ts";
import { PresenceKeeper } from "../../src/ingress/presence-keeper.ts";
import { HttpProblem } from "../../src/ingress/problem.ts";
import { Streams } from "../../src/ingress/streams.ts";
import { createMetrics } from "../../src/shared/metrics.ts";
import { silent as logger } from "../harness/logger.ts";
import { eventually } from "../harness/process.ts";
import { aSitePool } from "./site.ts";
import { tokenKeys } from "./stores.ts";

const device = "0d4f9a1e-4c06-4d52-9f0e-0c3b4a1c2d3e";
const prospect = "7a7a5e26-b1d3-4c77-8a40-5f4f2a5d3a11";
const limits = { maxStreams: 10, maxStreamsPerDevice: 8, keepAliveSeconds: 3_600, maxSeconds: 3_600 };
const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** What the database would say of devices that this replica alone writes. */
function aKeeper(over: Partial<Presence> = {}) {
  const online = new Set<string>();
  const store: Presence = {
    heartbeat: (devices) => {
      for (const one of devices) online.add(one);
      return Promise.resolve(new Date());
    },
    offline: (devices) => {
      for (const one of devices) online.delete(one);
      return Promise.resolve();
    },
    ...over,
  };
  const keeper = new PresenceKeeper(store, logger, { ttlSeconds: 7_200, heartbeatSeconds: 3_600 });
  cleanUps.push(() => keeper.stop());
  return { keeper, online };
}

/** Streams of one device behind a real server. */
async function serve(some: Partial<typeof limits> = {}, before: (request: Request) => Promise<void> = () => Promise.resolve()) {
  const { keeper, online } = aKeeper();
  const gauge = new Gauge({ name: "open_streams", help: "of this test", registers: [] });
  const streams = new Streams(keeper, { ...limits, ...some }, gauge);
  const responses: Response[] = [];
  const open = async (request: Request, response: Response) => {
    await before(request);
    responses.push(response);
    try {
      streams.open({ device, origin: undefined }, request, response);
    } catch (error) {
      response.writeHead(error instanceof HttpProblem ? error.status : 500).end();
    }
  };
  const server = createServer((request, response) => void open(request as Request, response as Response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanUps.push(() => {
    streams.stop();
    server.closeAllConnections();
    server.close();
  });
  const ask = (): Socket => {
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1").setEncoding("utf8");
    socket.on("error", () => undefined).write("GET / HTTP/1.1\r\nHost: calls.acme.example\r\n\r\n");
    cleanUps.push(() => void socket.destroy());
    return socket;
  };
  const count = async () => (await gauge.get()).values[0]?.value;
  return { ask, count, streams, keeper, online, responses };
}

/** A client that does not read, for which something waits here, and what goes wrong with its stream. */
async function full({ ask, streams, responses }: Awaited<ReturnType<typeof serve>>): Promise<readonly Error[]> {
  const socket = ask();
  expect(await statusOf(socket)).toBe(200);
  socket.pause();
  const [response] = responses as [Response];
  const errors: Error[] = [];
  response.on("error", (error) => errors.push(error));
  for (let sent = 0; response.writableLength === 0 && sent < 10_000; sent += 1) {
    streams.send(device, { event: "number", data: { filler: "x".repeat(16_384) } }, () => true);
    // What the kernel takes is gone by then.
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(response.writableLength).toBeGreaterThan(0);
  return errors;
}

async function statusOf(socket: Socket): Promise<number> {
  const [head] = (await once(socket, "data", { signal: AbortSignal.timeout(10_000) })) as [string];
  return Number(head.split(" ")[1]);
}

describe("an open stream", () => {
  it("of a client that does not read ends when too much waits for it, and the device is offline", async () => {
    const { ask, count, streams, online } = await serve();
    const socket = ask();
    expect(await statusOf(socket)).toBe(200);
    await eventually("the device is online", () => online.has(device));
    socket.pause();
    const filler = "x".repeat(262_144);
    await eventually("it is cut off", async () => {
      streams.send(device, { event: "number", data: { filler } }, () => true);
      return (await count()) === 0;
    }, 30_000);
    await eventually("the device is offline", () => !online.has(device));
  }, 60_000);

  it("of a client that does not read is written nothing after its end, which would end the process", async () => {
    const site = await serve();
    const errors = await full(site);
    site.streams.stop();
    site.streams.send(device, { event: "number", data: {} }, () => true);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(errors).toEqual([]);
  }, 60_000);

  it("of a client that does not read its end either is cut off, and the device is offline", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    cleanUps.push(() => vi.useRealTimers());
    const site = await serve({ keepAliveSeconds: 0.05, maxSeconds: 0 });
    const errors = await full(site);
    await new Promise((resolve) => setTimeout(resolve, 100));
    vi.setSystemTime(Date.now() + 10_000);
    await eventually("it is cut off", async () => (await site.count()) === 0);
    await eventually("the device is offline", () => !site.online.has(device));
    expect(errors).toEqual([]);
  }, 60_000);

  it("is asked for again once, when it is old and not before, and ended where nobody comes", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    cleanUps.push(() => vi.useRealTimers());
    const { ask, count } = await serve({ keepAliveSeconds: 0.02, maxSeconds: 100 });
    const socket = ask();
    let text = "";
    socket.on("data", (data: string) => (text += data));
    const after = async (seconds: number) => {
      vi.setSystemTime(Date.now() + seconds * 1000);
      const before = text.length;
      await eventually("it hears something again", async () => text.length > before + 50 || (await count()) === 0);
      return text.match(/^event: again$/gm)?.length ?? 0;
    };
    await eventually("it is open", async () => (await count()) === 1);
    // Three quarters of its time at least, all of it at most.
    expect([await after(0), await after(74)]).toEqual([0, 0]);
    expect([await after(26), await after(9), await count()]).toEqual([1, 1, 1]);
    expect([await after(1), await count()]).toEqual([1, 0]);
  });

  it("takes one place of all that there are until it ends", async () => {
    const { ask, count } = await serve({ maxStreams: 1 });
    const first = ask();
    expect(await statusOf(first)).toBe(200);
    expect(await statusOf(ask())).toBe(503);
    first.destroy();
    await eventually("its place is free", async () => (await count()) === 0);
    expect(await statusOf(ask())).toBe(200);
  });

  it("is none of a client that is gone before it begins: it takes no place", async () => {
    const seen: string[] = [];
    const { ask, count, online } = await serve({ maxStreams: 1 }, async (request) => {
      if (seen.push("asked") > 1) return;
      await once(request.socket, "close");
      seen.push("gone");
    });
    const gone = ask();
    await eventually("it asked", () => seen.includes("asked"));
    gone.destroy();
    await eventually("it is gone", () => seen.includes("gone"));
    expect([await count(), online.size]).toEqual([0, 0]);
    expect(await statusOf(ask())).toBe(200);
  });

  it("is refused once the service stops: the client goes to another replica", async () => {
    const { ask, count, streams } = await serve();
    const first = ask();
    expect(await statusOf(first)).toBe(200);
    streams.stop();
    await eventually("the open one has ended", async () => (await count()) === 0);
    expect(await statusOf(ask())).toBe(503);
  });

  it("of a device whose last one ended just before keeps it online: its end is not written any more", async () => {
    const slow = Promise.withResolvers<Date>();
    const ended: string[] = [];
    const { keeper } = aKeeper({ offline: (devices) => Promise.resolve(void ended.push(...devices)), heartbeat: (devices) => (devices.includes("other") ? slow.promise : Promise.resolve(new Date())) });
    keeper.opened(device);
    await keeper.settled();
    keeper.heard("other");
    keeper.closed(device);
    // By now the end is about to be written, after what was heard.
    await new Promise((resolve) => setImmediate(resolve));
    keeper.opened(device);
    slow.resolve(new Date());
    await keeper.settled();
    expect(ended).toEqual([]);
  });

  it("of a device that is heard of just after its end leaves it online", async () => {
    const { keeper, online } = aKeeper();
    keeper.opened(device);
    await keeper.settled();
    keeper.closed(device);
    keeper.heard(device);
    await keeper.settled();
    expect(online.has(device)).toBe(true);
  });

  it("keeps a device online that says it leaves: another tab is there", async () => {
    const { ask, keeper, online } = await serve();
    const socket = ask();
    expect(await statusOf(socket)).toBe(200);
    keeper.left(device);
    await keeper.settled();
    expect(online.has(device)).toBe(true);
    socket.destroy();
    await eventually("the device is offline", () => !online.has(device));
  });
});

describe("a release", () => {
  it("tells other devices of 1,000 media elements at most", async () => {
    const [pool, metrics, clock] = ["default/sales", createIngressMetrics(createMetrics()), { now: () => new Date() }];
    const elsewhere = Array.from({ length: 1_200 }, (_, i) => ({ device, pool, mediaElement: `part-${i}` }));
    const told: DevicePush[] = [];
    const { keeper } = aKeeper();
    const routes = deviceRoutes({
      identities: new Identities(createTokenSigner(tokenKeys)),
      newcomers: new Newcomers({ perSecond: 0, burst: 1 }, clock, metrics.refused),
      leavers: new Newcomers({ perSecond: 0, burst: 1 }, clock, metrics.refused),
      prospects: {} as Prospects,
      claims: { release: () => Promise.resolve(elsewhere) } as unknown as NumberClaims,
      pushes: {
        publish: (pushes) => {
          told.push(...pushes);
          return Promise.resolve();
        },
        subscribe: () => Promise.resolve(() => Promise.resolve()),
      },
      pools: () => new Map([[pool, aSitePool(pool, 1)]]),
      presence: keeper,
      streams: new Streams(keeper, limits, metrics.openStreams),
      sites: new Map(),
      ...{ logger, clock },
    });
    const server = express().use(jsonBody(), routes).listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanUps.push(() => void server.close());
    const signer = createTokenSigner(tokenKeys);
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/release`, {
      method: "POST",
      headers: { "Content-Type": "application/json", Connection: "close" },
      body: JSON.stringify({ pools: [pool], visitor: signer.sign("visitor", prospect), device: signer.sign("device", device) }),
    });
    expect(response.status).toBe(204);
    expect(told).toHaveLength(1_000);
  });
});
