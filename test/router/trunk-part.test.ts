import { describe, expect, it } from "vitest";
import { renderPjsip } from "../../src/domain/pjsip.ts";
import { createTrunkPart, type TrunkPartDeps } from "../../src/router/trunk-part.ts";
import { anAsteriskTrunk } from "../domain/asterisk-builders.ts";
import { silent } from "../harness/logger.ts";

/** An Asterisk that runs what it was given, in whose world the names of these endpoints' hosts have no address. */
function aPart(unidentified: readonly string[]) {
  const world = { now: 0, unidentified, programmed: 0, running: null as string | null };
  const file = { revision: "0".repeat(32), trunks: renderPjsip({ trunks: [anAsteriskTrunk()], credentials: new Map() }) };
  const deps: TrunkPartDeps = {
    logger: silent,
    clock: { now: () => new Date(world.now) },
    read: () => Promise.resolve(file),
    running: () => Promise.resolve(world.running),
    program: () => {
      world.programmed += 1;
      world.running = file.trunks.hash;
      return Promise.resolve({ unidentified: world.unidentified });
    },
    states: () => Promise.resolve(new Map()),
    registrations: () => Promise.resolve(new Map()),
    trunks: () => [],
  };
  return { world, look: createTrunkPart(deps), revision: file.revision };
}

describe("trunks whose host has no address", () => {
  it("are asked for again once a minute, until it has one", async () => {
    const { world, look, revision } = aPart(["carrier"]);
    expect(await look()).toMatchObject({ running: revision, loaded: true, error: null });
    world.now = 59_999;
    await look();
    expect(world.programmed).toBe(1);
    world.now = 60_000;
    expect(await look()).toMatchObject({ running: revision, loaded: true, error: null });
    expect(world.programmed).toBe(2);
    world.now = 119_999;
    await look();
    expect(world.programmed).toBe(2);
    world.unidentified = [];
    world.now = 120_000;
    await look();
    expect(world.programmed).toBe(3);
    world.now = 1_000_000;
    await look();
    expect(world.programmed).toBe(3);
  });

  it("are asked for no more when they have one at once", async () => {
    const { world, look } = aPart([]);
    for (world.now = 0; world.now <= 600_000; world.now += 60_000) await look();
    expect(world.programmed).toBe(1);
  });
});
