import { describe, expect, it } from "vitest";
import { trunkEndpoint } from "../../src/domain/asterisk-names.ts";
import { renderPjsip } from "../../src/domain/pjsip.ts";
import { createTrunkPart, type TrunkPartDeps } from "../../src/router/trunk-part.ts";
import { anAsteriskTrunk } from "../domain/asterisk-builders.ts";
import { silent } from "../harness/logger.ts";

const HOST = "sip.carrier.example";
const MINUTE = 60_000;

/** An Asterisk that asks for the addresses of hosts when it loads trunks, and never again. */
function aWorld({ host = HOST, addresses = ["192.0.2.10"] }: { readonly host?: string; readonly addresses?: readonly string[] } = {}) {
  const file = { revision: "0".repeat(32), trunks: renderPjsip({ trunks: [anAsteriskTrunk("acme/carrier", { host })], credentials: new Map() }) };
  const world = {
    now: 0,
    /** What name servers say. */
    addresses,
    programmed: 0,
    running: null as string | null,
    /** By which Asterisk knows the carrier. */
    identified: [] as readonly string[],
    broken: false,
    load: () => {
      world.running = file.trunks.hash;
      world.identified = host === HOST ? world.addresses : [host];
    },
  };
  const unidentified = () => (world.identified.length === 0 ? [trunkEndpoint("acme/carrier")] : []);
  const deps: TrunkPartDeps = {
    logger: silent,
    clock: { now: () => new Date(world.now) },
    read: () => Promise.resolve(file),
    running: () => Promise.resolve(world.running),
    program: () => {
      world.programmed += 1;
      if (world.broken) return Promise.reject(new Error("Asterisk refused to reload"));
      world.load();
      return Promise.resolve({ unidentified: unidentified() });
    },
    unidentified: (endpoints) => Promise.resolve(unidentified().filter((endpoint) => endpoints.includes(endpoint))),
    addressesOf: (name) => Promise.resolve(name === HOST ? world.addresses : []),
    states: () => Promise.resolve(new Map()),
    registrations: () => Promise.resolve(new Map()),
    trunks: () => [],
  };
  const look = createTrunkPart(deps);
  /** Looks every five seconds, as a pod does. */
  const until = async (end: number) => {
    for (; world.now <= end; world.now += 5_000) expect(await look()).toMatchObject({ running: file.revision, loaded: true });
  };
  return { world, until };
}

describe("a trunk whose host has no address", () => {
  it("is loaded again once a minute, until it has one", async () => {
    const { world, until } = aWorld({ addresses: [] });
    await until(MINUTE - 5_000);
    expect(world.programmed).toBe(1);
    await until(MINUTE);
    expect(world.programmed).toBe(2);
    world.addresses = ["192.0.2.10"];
    await until(2 * MINUTE);
    expect(world).toMatchObject({ programmed: 3, identified: ["192.0.2.10"] });
    await until(20 * MINUTE);
    expect(world.programmed).toBe(3);
  });

  it("is loaded again also when it was not this router that loaded it, or Asterisk began anew", async () => {
    const { world, until } = aWorld({ addresses: [] });
    world.load();
    await until(5_000);
    world.addresses = ["192.0.2.10"];
    await until(2 * MINUTE);
    expect(world.identified).toEqual(["192.0.2.10"]);
    world.identified = [];
    await until(4 * MINUTE);
    expect(world.identified).toEqual(["192.0.2.10"]);
  });
});

describe("a trunk whose host has other addresses by now", () => {
  it("is loaded again within a minute, once", async () => {
    const { world, until } = aWorld();
    await until(5 * MINUTE);
    expect(world.programmed).toBe(1);
    world.addresses = ["192.0.2.10", "192.0.2.11"];
    await until(7 * MINUTE);
    expect(world).toMatchObject({ programmed: 2, identified: ["192.0.2.10", "192.0.2.11"] });
    await until(20 * MINUTE);
    expect(world.programmed).toBe(2);
  });

  it("is loaded again by a router that does not know which it had", async () => {
    const { world, until } = aWorld();
    world.load();
    world.addresses = ["192.0.2.11"];
    await until(MINUTE);
    expect(world).toMatchObject({ programmed: 1, identified: ["192.0.2.11"] });
  });

  it("is loaded again until Asterisk takes it", async () => {
    const { world, until } = aWorld();
    await until(MINUTE);
    Object.assign(world, { addresses: ["192.0.2.11"], broken: true });
    await until(3 * MINUTE);
    world.broken = false;
    await until(5 * MINUTE);
    expect(world.identified).toEqual(["192.0.2.11"]);
  });

  it("stays where it was while no name server answers", async () => {
    const { world, until } = aWorld();
    await until(MINUTE);
    world.addresses = [];
    await until(5 * MINUTE);
    expect(world).toMatchObject({ programmed: 1, identified: ["192.0.2.10"] });
  });
});

it("a trunk that is known by an address is loaded once", async () => {
  const { world, until } = aWorld({ host: "192.0.2.10" });
  await until(10 * MINUTE);
  expect(world.programmed).toBe(1);
});
