import { randomUUID } from "node:crypto";

import { describe, expect, test, vi } from "vitest";

import type { DevicePush } from "../../../src/domain/ports.ts";
import { aDesiredPool, did, eachWithWorld, SALES } from "./world.ts";

const world = eachWithWorld();

const aPush = (rest: Partial<DevicePush> = {}): DevicePush => ({
  device: randomUUID(), pool: SALES, mediaElement: "hero", did: did(0), leasedUntil: new Date("2026-06-01T12:00:00.123Z"), ...rest,
});

async function subscriber() {
  const received: DevicePush[] = [];
  return { received, stop: await world.stores.pushes.subscribe((push) => received.push(push)) };
}

const notify = (payload: string) => world.rows("select pg_notify('dialplane_push', $1::text)", [payload]);
const endListeners = () => world.rows("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'dialplane-listener'");

describe("a push", () => {
  test("reaches every subscriber as it was sent", async () => {
    const [one, two] = [await subscriber(), await subscriber()];
    const pushes = [aPush(), aPush({ did: null, leasedUntil: null }), aPush({ mediaElement: `"quotes" 'and' \\ ünïcödé 🙂 \u0000` })];
    await world.stores.pushes.publish(pushes);
    for (const { received } of [one, two]) await vi.waitFor(() => expect(received).toEqual(pushes));
    await Promise.all([one.stop(), two.stop()]);
  });

  test("reaches nobody who stopped", async () => {
    const [gone, here] = [await subscriber(), await subscriber()];
    await gone.stop();
    await world.stores.pushes.publish([aPush()]);
    await vi.waitFor(() => expect(here.received).toHaveLength(1));
    expect(gone.received).toEqual([]);
    await here.stop();
  });

  test("arrives again after the connection was lost, twice", async () => {
    const one = await subscriber();
    for (const round of [1, 2]) {
      await endListeners();
      await vi.waitFor(async () => {
        await world.stores.pushes.publish([aPush({ mediaElement: `round ${round}` })]);
        expect(one.received.at(-1)?.mediaElement).toBe(`round ${round}`);
      }, { timeout: 10_000, interval: 100 });
    }
    expect(await world.rows("select from pg_stat_activity where datname = current_database() and application_name = 'dialplane-listener'")).toHaveLength(1);
    await one.stop();
  });

  test.each([
    ["no JSON", "hello"],
    ["nothing", ""],
    ["an array", "[]"],
    ["a device that is no UUID", JSON.stringify({ ...aPush(), device: "x' or 1=1" })],
    ["a number out of format", JSON.stringify({ ...aPush(), did: "+1; drop table call" })],
    ["no time", JSON.stringify({ ...aPush(), leasedUntil: "tomorrow" })],
  ])("that is %s is dropped, and the next one arrives", async (_, payload) => {
    const one = await subscriber();
    await notify(payload);
    await world.stores.pushes.publish([aPush({ mediaElement: "good" })]);
    await vi.waitFor(() => expect(one.received.map((push) => push.mediaElement)).toEqual(["good"]));
    await one.stop();
  });

  test("that is too long for a notification is dropped alone", async () => {
    const one = await subscriber();
    await world.stores.pushes.publish([aPush({ mediaElement: "x".repeat(10_000) }), aPush({ mediaElement: "good" })]);
    await world.stores.pushes.publish([]);
    await vi.waitFor(() => expect(one.received.map((push) => push.mediaElement)).toEqual(["good"]));
    await one.stop();
  });
});

describe("the router", () => {
  test("is told of changes, at every connect, and not of what changes nothing", async () => {
    let told = 0;
    const stop = await world.stores.router.onChange(() => (told += 1));
    expect(told).toBe(1);
    await world.apply(aDesiredPool());
    await vi.waitFor(() => expect(told).toBe(2));
    await world.apply(aDesiredPool());
    await endListeners();
    await vi.waitFor(() => expect(told).toBe(3), { timeout: 10_000 });
    await stop();
  });
});
