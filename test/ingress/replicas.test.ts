import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../harness/process.ts";
import { openStream, type TestStream } from "./event-stream.ts";
import { startReplica, type Replica } from "./replicas.ts";
import { aSitePool, personToken } from "./site.ts";
import { startStores, type Stores } from "./stores.ts";

const origin = "https://acme.example";
const pool = "default/sales";

interface Device {
  readonly visitor: unknown;
  readonly device: string;
  readonly number: unknown;
}

let stores: Stores;
let first: Replica;
let second: Replica;
const streams: TestStream[] = [];
beforeAll(async () => {
  stores = await startStores();
  await stores.apply(new Map([[pool, aSitePool(pool, 1, { allowedOrigins: [origin] })]]));
  [first, second] = await Promise.all([startReplica(stores), startReplica(stores)]);
});
afterEach(() => {
  for (const stream of streams.splice(0)) stream.close();
});
afterAll(async () => {
  await Promise.all([first.stop(), second.stop()]);
  await stores.close();
});

async function post(at: Replica, path: string, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(at.url + path, { method: "POST", headers: { Origin: origin, "Content-Type": "application/json" }, body: JSON.stringify(body) });
  return (await response.json()) as Record<string, unknown>;
}

async function ask(at: Replica, who: Partial<Device> = {}, mediaElement = "banner"): Promise<Device> {
  const { visitor, device, number } = await post(at, "/v1/numbers", { pool, mediaElement, visitor: who.visitor, device: who.device });
  return { visitor, device: String(device), number };
}

async function logIn(at: Replica, subject: string): Promise<Device> {
  const who = await ask(at);
  const { visitor } = await post(at, "/v1/identify", { token: personToken(subject), visitor: who.visitor, device: who.device });
  return ask(at, { ...who, visitor });
}

async function online(at: Replica, who: Device): Promise<TestStream> {
  const before = await stores.online();
  const stream = await openStream(at.url, who.device, { Origin: origin });
  streams.push(stream);
  await eventually("one device more is online", async () => (await stores.online()) > before);
  return stream;
}

describe("two processes of ingress and one Postgres", () => {
  it("know of each other's devices: the determination names the other device, and the push arrives there", async () => {
    const phone = await logIn(first, "anna");
    const laptop = await logIn(second, "anna");
    expect(laptop.number).toBe(phone.number);
    const pushed = await online(first, phone);
    const own = await online(second, laptop);

    expect((await ask(second, laptop, "pricing")).number).toBe(phone.number);
    expect(await pushed.next("number")).toMatchObject({ pool, mediaElement: "pricing", number: phone.number });
    const shown = await stores.associations(String(phone.number));
    expect(shown.find(({ mediaElement }) => mediaElement === "pricing")?.otherDevicesOnline).toEqual([stores.idOf(phone.device)]);

    await ask(first, phone, "footer");
    expect(await own.next("number")).toMatchObject({ mediaElement: "footer", number: phone.number });
  });

  it("lose one by kill -9: its devices are offline after the presence time, those of the other stay online, and so it is recorded", async () => {
    const phone = await logIn(first, "ben");
    const laptop = await logIn(second, "ben");
    await eventually("nobody is online", async () => (await stores.online()) === 0);
    await online(second, laptop);
    const lost = await online(first, phone);

    await first.kill();
    await lost.ended;
    expect(await ask(second, laptop, "pricing")).toMatchObject({ number: phone.number });
    await eventually("the phone is offline", async () => (await stores.online()) === 1);
    await ask(second, laptop, "footer");
    const shown = await stores.associations(String(phone.number));
    expect(shown.find(({ mediaElement }) => mediaElement === "footer")?.otherDevicesOnline).toEqual([]);

    first = await startReplica(stores);
    const again = await online(first, phone);
    await ask(second, laptop, "contact");
    expect(await again.next("number")).toMatchObject({ mediaElement: "contact", number: phone.number });
  });
});
