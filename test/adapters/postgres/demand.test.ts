import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { sizeForDemand } from "../../../src/domain/sizing.ts";
import { aDesiredPool, aRequest, eachWithWorld, SALES } from "./world.ts";

const world = eachWithWorld();
const HOLDING = { leaseSeconds: 1800, cooldownSeconds: 900 };
const demand = async () => (await world.stores.operator.totals())[SALES]?.demand;
const visit = (visitors: readonly string[]) => world.claim(...visitors.map((prospect) => aRequest(prospect)));
const visitors = (count: number) => Array.from({ length: count }, () => randomUUID());

it("how busy a pool is follows from the leases begun; its busiest hour is remembered for a week", async () => {
  await world.apply(aDesiredPool({ owned: [[0, 199]] }));
  await visit(visitors(9));
  expect(await demand()).toBeUndefined();
  const many = visitors(21);
  await visit(many);
  // 30 in the three quarters of an hour that a lease and a cool-down take.
  expect(await demand()).toMatchObject({ arrivalsPerHour: 40, visitSeconds: 0 });
  // All come back ten minutes later: no new arrivals, but longer visits, which count once they are over.
  await world.pass(600);
  await visit(many);
  expect((await demand())?.arrivalsPerHour).toBe(40);
  await world.pass(4000);
  await visit(visitors(12));
  const quiet = await demand();
  expect(quiet?.arrivalsPerHour).toBe(40);
  await world.rows("update pool_demand set hour = hour - interval '8 days'");
  const measured = await demand();
  expect(measured?.arrivalsPerHour).toBe(16);
  // 21 of 30 visits lasted ten minutes and a little, and their renewals promised a twentieth of a lease more: as long they hold a number.
  expect(Math.abs((measured?.visitSeconds ?? 0) - (21 / 30) * (600 + 90))).toBeLessThan(60);
  expect(sizeForDemand(measured && { ...measured, visitSeconds: 420 }, HOLDING, 200)).toBe(23);
});
