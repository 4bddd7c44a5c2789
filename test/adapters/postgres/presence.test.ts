import { randomUUID } from "node:crypto";

import { describe, expect, test } from "vitest";

import { aDesiredPool, aRequest, didsOf, eachWithWorld, SALES } from "./world.ts";

const world = eachWithWorld();

describe("a device", () => {
  test("is online from a heartbeat until its time is over", async () => {
    const ann = await world.visitor();
    const online = () => world.online(ann.prospect);
    expect(await online()).toEqual([]);
    await world.stores.presence.heartbeat([ann.device], 30);
    expect(await online()).toEqual([ann.device]);
    await world.pass(31);
    expect(await online()).toEqual([]);
  });

  test("is offline when it says so, and may come back", async () => {
    const ann = await world.visitor();
    await world.stores.presence.heartbeat([ann.device], 30);
    await world.stores.presence.offline([ann.device]);
    expect(await world.online(ann.prospect)).toEqual([]);
    await world.stores.presence.heartbeat([ann.device], 30);
    expect(await world.online(ann.prospect)).toEqual([ann.device]);
  });

  test("is heard of together with others, and with one that nobody knows", async () => {
    const [ann, bob] = [await world.visitor(), await world.visitor()];
    await world.stores.presence.heartbeat([ann.device, bob.device, randomUUID()], 30);
    expect(await world.online(ann.prospect)).toEqual([ann.device]);
    expect(await world.online(bob.prospect)).toEqual([bob.device]);
  });

  test("may be named twice, and no device at all is fine", async () => {
    const ann = await world.visitor();
    await world.stores.presence.heartbeat([ann.device, ann.device], 30);
    await world.stores.presence.heartbeat([], 30);
    await world.stores.presence.offline([]);
    expect(await world.online(ann.prospect)).toEqual([ann.device]);
  });
});

describe("a heartbeat", () => {
  test("renews the lease: never less than a full one after the last sign of life, and no write while that holds", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 0]] }));
    const ann = await world.visitor();
    await world.assigned(aRequest(ann.prospect, ann));
    const left = async () => (await world.rows<{ left: number; version: string }>("select extract(epoch from leased_until - clock_timestamp())::float8 as left, xmin::text as version from number"))[0]!;
    await world.pass(100);
    await world.stores.presence.heartbeat([ann.device], 45);
    const renewed = await left();
    expect(renewed.left).toBeGreaterThan(1800);
    expect(renewed.left).toBeLessThanOrEqual(1845);
    await world.stores.presence.heartbeat([ann.device], 45);
    expect((await left()).version).toBe(renewed.version);
  });

  test("does not extend a number that was taken out of the pool", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 0]] }));
    const ann = await world.visitor();
    await world.assigned(aRequest(ann.prospect, ann));
    await world.apply(aDesiredPool({ owned: [] }));
    await world.pass(1700);
    await world.stores.presence.heartbeat([ann.device], 45);
    await world.pass(101);
    expect(didsOf(await world.claim(aRequest(ann.prospect, ann)))).toEqual([null]);
  });

  test("leaves a number alone that was given back while it was under way", async () => {
    await world.apply(aDesiredPool());
    const [ann, bob] = [await world.visitor(), await world.visitor()];
    await world.assigned(aRequest(ann.prospect, ann));
    await world.pass(100);
    const other = await world.database.pool.connect();
    await other.query("begin");
    await other.query("select from device where id = $1::uuid for update", [bob.device]);
    const beat = world.stores.presence.heartbeat([ann.device, bob.device], 45);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await world.stores.claims.release([SALES], { device: ann.device, isOnlyPage: true });
    await other.query("commit");
    other.release();
    await beat;
    expect((await world.stores.operator.totals())[SALES]).toMatchObject({ leased: 0, coolingDown: 1 });
  });

  test("of many devices by many replicas and in any order never fails", async () => {
    const devices = (await Promise.all(Array.from({ length: 30 }, () => world.visitor()))).map(({ device }) => device);
    await Promise.all(Array.from({ length: 20 }, (_, n) => world.stores.presence.heartbeat(n % 2 === 0 ? devices : [...devices].reverse(), 30)));
    expect(await world.rows("select from device where online_until > now()")).toHaveLength(30);
  });
});
