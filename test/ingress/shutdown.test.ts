import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startWire } from "../harness/kube-proxy.ts";
import { eventually } from "../harness/process.ts";
import { startReplica, type Replica } from "./replicas.ts";
import { aSitePool } from "./site.ts";
import { startStores, type Stores } from "./stores.ts";

const pool = "default/sales";
const requests = 8;
let stores: Stores;
let replica: Replica;
let database: pg.Client;
beforeEach(async () => {
  stores = await startStores();
  await stores.apply(new Map([[pool, aSitePool(pool, 1)]]));
  replica = await startReplica(stores);
  database = new pg.Client({ connectionString: stores.url });
  await database.connect();
});
afterEach(async () => {
  await database.end();
  await replica.stop();
  await stores.close();
});

async function ask(): Promise<{ status: number; number: unknown }> {
  const response = await fetch(`${replica.url}/v1/numbers`, { method: "POST", body: JSON.stringify({ pool, mediaElement: "hero" }) });
  return { status: response.status, number: ((await response.json()) as Record<string, unknown>)["number"] };
}

/** Why no connection can be made; null when one can. */
function whyNot(): Promise<unknown> {
  return fetch(`${replica.url}/healthz`).then(
    () => null,
    (error: unknown) => ((error as Error).cause as { readonly code?: unknown } | undefined)?.code,
  );
}

async function underWay(): Promise<number> {
  const metrics = await (await fetch(`${replica.url}/metrics`)).text();
  return Number(/^dialplane_ingress_requests_under_way (\d+)$/m.exec(metrics)?.[1]);
}

it("a process that is told to end answers every request that it took, durably, takes no new ones, and ends with 0", async () => {
  // Claims wait for as long as somebody else has the numbers.
  await database.query("begin; lock table number in access exclusive mode");
  const answers = Promise.all(Array.from({ length: requests }, ask));
  await eventually("all requests are under way", async () => (await underWay()) === requests);

  const ended = replica.end();
  // One that was still in the kernel's queue is reset: it was not taken either.
  await eventually("new connections are refused", async () => (await whyNot()) === "ECONNREFUSED");
  await database.query("commit");

  const given = await answers;
  expect(given.map(({ status }) => status)).toEqual(Array.from({ length: requests }, () => 200));
  expect(await ended).toBe(0);
  const numbers = given.map(({ number }) => String(number));
  expect(new Set(numbers).size).toBe(requests);
  for (const number of numbers) expect(await stores.associations(number)).toHaveLength(1);
  expect(await stores.counts()).toEqual({ leased: requests, associations: requests, prospects: requests, devices: requests });
}, 60_000);

it("a process whose database has vanished without a word ends all the same", async () => {
  const wire = await startWire(stores.url);
  const through = new URL(stores.url);
  through.port = new URL(wire.url).port;
  const cutOff = await startReplica({ url: through.href });
  await eventually("it has looked at the database", async () => (await fetch(`${cutOff.url}/readyz`)).status === 200);
  wire.freeze();
  const code = await Promise.race([cutOff.end(), sleep(15_000, "is alive")]);
  await cutOff.stop();
  await wire[Symbol.asyncDispose]();
  expect(code).toBe(0);
}, 60_000);
