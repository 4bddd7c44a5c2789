import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { SippServer } from "../harness/sipp.ts";
import { startRolloutWorld, type RolloutWorld } from "./rollout-world.ts";

let world: RolloutWorld;

beforeAll(async () => {
  world = await startRolloutWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

async function invitesAt(desk: SippServer): Promise<number> {
  return (await desk.messages()).filter(({ direction, startLine }) => direction === "received" && startLine.startsWith("INVITE")).length;
}

describe("three pods", () => {
  test("run what was declared, and a call to each is bridged to where the rule says", async () => {
    await world.becomes("NumberPool", "Programmed", "True/Programmed 3 of 3 pods run");
    for (const pod of world.pods) expect(await world.call(pod)).toMatchObject({ exitCode: 0 });
    expect(await invitesAt(world.desks.first)).toBe(3);
  });
});
