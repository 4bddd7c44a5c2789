import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import type { DialplaneOperator } from "../../src/operator/operator.ts";
import { eventually } from "../harness/process.ts";
import { aPool, aTrunk, operatorIn, startWorld, TEN, type OperatorWorld } from "./world.ts";

let world: OperatorWorld;
let running: DialplaneOperator | undefined;
beforeAll(async () => {
  world = await startWorld();
  await world.apply(aTrunk("carrier"));
}, 120_000);
afterEach(end);
afterAll(() => world.stop());

const GOOD = { Accepted: "True/Accepted", ResolvedRefs: "True/ResolvedRefs" };
const inService = async () => (await world.rows<{ numbers: number }>("select count(*)::int as numbers from number where in_service"))[0]?.numbers;

async function start(): Promise<void> {
  running = await operatorIn(world);
}

async function end(): Promise<void> {
  const errors = await running?.ended();
  running = undefined;
  expect(errors ?? []).toEqual([]);
}

/** A pool with ten numbers, that an operator served which is gone. */
async function aPoolLeftAlone(): Promise<void> {
  await start();
  await world.apply(aPool("sales", { ranges: TEN }));
  await world.becomes("np", "sales", GOOD);
  await end();
}

/** As docs/gitops.md has it: the operator went before its pools. */
describe("a pool that is deleted while no operator runs", { timeout: 180_000 }, () => {
  test("is there until one runs again, which finishes what was begun", async () => {
    await aPoolLeftAlone();
    await world.kube.mustKubectl(["delete", "np", "sales", "--wait=false"]);
    expect((await world.get("np", "sales"))?.metadata["deletionTimestamp"]).toBeDefined();
    expect(await inService()).toBe(10);
    await start();
    await eventually("the pool is gone", async () => (await world.get("np", "sales")) === null, 60_000);
    expect(await inService()).toBe(0);
  });

  test("and let go without one, is in service until one runs again and finds that it is not declared any more", async () => {
    await aPoolLeftAlone();
    await world.kube.mustKubectl(["delete", "np", "sales", "--wait=false"]);
    await world.kube.mustKubectl(["patch", "np", "sales", "--type=merge", "-p", '{"metadata":{"finalizers":null}}']);
    expect(await world.get("np", "sales")).toBeNull();
    expect(await inService()).toBe(10);
    await start();
    await eventually("its numbers are out of service", async () => (await inService()) === 0, 60_000);
  });
});
