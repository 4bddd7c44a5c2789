import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { describe, expect, it } from "vitest";

import type { CallRecord, LegRecord } from "../../../src/domain/types.ts";
import { aCall, aDesiredPool, aLeg, aRequest, did, eachWithWorld, SALES } from "./world.ts";

const world = eachWithWorld();

async function aPerson(subject: string) {
  const { prospect, device } = await world.visitor();
  const identified = await world.stores.prospects.identify({ site: "shop", subject, prospect, device });
  return { given: prospect, device, prospect: identified.prospect, merged: identified.merged };
}

describe("numbers that come back or change pools", () => {
  it("lets two pools merge into one although somebody holds a number of each", async () => {
    await world.apply(aDesiredPool({ key: "shop/a", owned: [[0, 1]] }), aDesiredPool({ key: "shop/b", owned: [[10, 11]] }));
    const prospect = randomUUID();
    const older = await world.assigned(aRequest(prospect, { pool: "shop/a" }));
    await world.assigned(aRequest(prospect, { pool: "shop/b" }));
    await expect(world.apply(aDesiredPool({ owned: [[0, 1], [10, 11]] }))).resolves.toMatchObject({ changed: true });
    expect(await world.assigned(aRequest(prospect))).toMatchObject({ did: older.did, renewed: true });
  });

  it("lets two retired numbers that one prospect held come back at once", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 1]], leaseSeconds: 1 }));
    const prospect = randomUUID();
    const first = await world.assigned(aRequest(prospect));
    await world.apply(aDesiredPool({ owned: [[1, 1]], leaseSeconds: 1 }));
    await sleep(1_100);
    expect((await world.assigned(aRequest(prospect))).did).not.toBe(first.did);
    await world.apply(aDesiredPool({ owned: [[5, 5]], leaseSeconds: 1 }));
    await expect(world.apply(aDesiredPool({ owned: [[0, 1]], leaseSeconds: 1 }))).resolves.toMatchObject({ changed: true });
  });

  it("refuses a number that two pools own and changes nothing", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 5]] }));
    const both = world.apply(aDesiredPool({ owned: [[0, 5]] }), aDesiredPool({ key: "shop/b", owned: [[3, 8]] }));
    await expect(both).rejects.toMatchObject({ code: "Conflict", message: expect.stringContaining(did(3)) as string });
    expect(await world.stores.operator.totals()).toEqual({ [SALES]: expect.objectContaining({ total: 6 }) as object });
  });
});

describe("prospects that were merged", () => {
  it("gives the same number to whoever still asks with the old id", async () => {
    await world.apply(aDesiredPool());
    const [one, two] = [await aPerson("anna"), await aPerson("anna")];
    expect(two).toMatchObject({ merged: true, prospect: one.prospect });
    const results = await world.claim(aRequest(one.given), aRequest(two.given));
    expect(new Set(results.map((result) => result.status === "assigned" && result.did)).size).toBe(1);
  });

  it("does not join another person by the old id", async () => {
    const [, two] = [await aPerson("anna"), await aPerson("anna")];
    const other = await world.stores.prospects.identify({ site: "shop", subject: "bert", prospect: two.given, device: two.device });
    expect(other).toMatchObject({ merged: false });
    expect(other.prospect).not.toBe(two.prospect);
  });

  it("leaves one current number when both claim while they are merged", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 99]] }));
    for (let round = 0; round < 20; round += 1) {
      const one = await aPerson(`person ${round}`);
      const { prospect, device } = await world.visitor();
      await Promise.all([
        world.claim(aRequest(one.prospect)),
        world.stores.prospects.identify({ site: "shop", subject: `person ${round}`, prospect, device }),
        world.claim(aRequest(prospect)),
      ]);
      const rows = await world.rows<{ held: number }>(
        "select count(*)::int as held from number where prospect_id = any ($1::uuid[]) and not superseded",
        [[one.prospect, prospect]],
      );
      expect(rows[0]?.held).toBe(1);
    }
  });

  it("frees what a device of the merged prospect gives back", async () => {
    await world.apply(aDesiredPool());
    const [, two] = [await aPerson("anna"), await aPerson("anna")];
    await world.assigned(aRequest(two.prospect));
    await world.stores.claims.release([SALES], { device: two.device, isOnlyPage: true });
    expect((await world.stores.operator.totals())[SALES]).toMatchObject({ leased: 0, coolingDown: 1 });
  });
});

describe("what a prospect was shown", () => {
  it("has the media element first that was shown last, even if it was shown before", async () => {
    await world.apply(aDesiredPool());
    const [prospect, device] = [randomUUID(), randomUUID()];
    let shown = did(0);
    for (const mediaElement of ["hero", "pricing", "hero"]) shown = (await world.assigned(aRequest(prospect, { device, mediaElement }))).did;
    const context = await world.stores.router.callContext({ did: shown, pool: SALES, caller: null, at: new Date() });
    expect(context).toMatchObject({ attribution: "exclusive", prospect, mediaElements: ["hero", "pricing"] });
  });
});

describe("presence", () => {
  it("keeps the number of a prospect whose device stays online", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 0]], leaseSeconds: 1, cooldownSeconds: 0 }));
    const { prospect, device } = await world.visitor();
    await world.assigned(aRequest(prospect, { device }));
    for (let beat = 0; beat < 5; beat += 1) {
      await sleep(300);
      await world.stores.presence.heartbeat([device], 5);
    }
    expect(await world.claim(aRequest(randomUUID()))).toMatchObject([{ status: "unchanged", reason: "Exhausted" }]);
  });

  it("does not bring back a lease that had ended", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 0]], leaseSeconds: 0.3, cooldownSeconds: 0 }));
    const { prospect, device } = await world.visitor();
    await world.assigned(aRequest(prospect, { device }));
    await sleep(400);
    await world.stores.presence.heartbeat([device], 5);
    await expect(world.assigned(aRequest(randomUUID()))).resolves.toMatchObject({ did: did(0), renewed: false });
  });
});

describe("replayed call records", () => {
  const save = (rest: Partial<CallRecord>) => world.stores.router.saveCall(aCall({ id: "call-1", ...rest }));
  const stored = () => world.rows<{ caller: string | null; prospect_id: string | null; ending: string | null; legs: LegRecord[] }>("select * from call");

  it("keep the newer legs of a call that is in the same state", async () => {
    await save({ legs: [aLeg("a", { endedAt: new Date() }), aLeg("b")] });
    await save({ legs: [aLeg("a")] });
    expect(await stored()).toMatchObject([{ legs: [{ channel: "a", endedAt: expect.any(String) as string }, { channel: "b" }] }]);
  });

  it("do not undo the end of a call", async () => {
    await save({ endedAt: new Date(), end: "completed" });
    await save({ answeredAt: new Date(), legs: [aLeg("a"), aLeg("b")] });
    expect(await stored()).toMatchObject([{ ending: "completed", legs: [] }]);
  });

  it("do not bring back the identity of an erased prospect", async () => {
    const { prospect } = await world.visitor();
    await save({ attribution: "exclusive", prospect });
    await world.stores.prospects.erase(prospect);
    await save({ attribution: "exclusive", prospect, endedAt: new Date(), end: "completed" });
    expect(await stored()).toMatchObject([{ caller: null, prospect_id: null, ending: "completed" }]);
  });
});

describe("a lost connection", () => {
  it("is made up for by another try", async () => {
    await world.apply(aDesiredPool());
    await world.database.pool.query("select 1");
    const asked = world.claim(aRequest(randomUUID()));
    await world.database.pool.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()");
    await expect(asked).resolves.toMatchObject([{ status: "assigned" }]);
  });
});
