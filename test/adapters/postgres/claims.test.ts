import { randomUUID } from "node:crypto";

import { describe, expect, test } from "vitest";

import { lockWrites } from "../../../src/adapters/postgres/apply-lock.ts";
import { readPoolOf } from "../../../src/adapters/postgres/explain-number.ts";
import { readAssociations } from "../../../src/adapters/postgres/read-associations.ts";
import { meet } from "../../harness/meet.ts";
import { eventually } from "../../harness/process.ts";
import { aCall, aDesiredPool, aRequest, assignedOf, CALLER, desired, did, didsOf, eachWithWorld, overflowAt, SALES } from "./world.ts";

const world = eachWithWorld();
const someone = () => randomUUID();

const state = (n: number) =>
  world.rows<{ prospect_id: string; leased_until: Date; free_at: Date }>("select prospect_id, leased_until, free_at from number where did = $1::bigint", [did(n).slice(1)]);

describe("a claim", () => {
  test("lends a number for the pool's lease and promises exactly that", async () => {
    await world.apply(aDesiredPool());
    const result = await world.assigned(aRequest(someone()));
    expect(result).toMatchObject({ did: did(0), renewed: false, otherDevicesOnline: [] });
    expect(result.leasedUntil.getTime() - result.determinedAt.getTime()).toBe(1_800_000);
    const [stored] = await state(0);
    expect(stored?.leased_until).toEqual(result.leasedUntil);
    expect(stored!.free_at.getTime() - stored!.leased_until.getTime()).toBe(900_000);
  });

  test("renews the lease: a full one from the sign of life on and a twentieth, however young the old one is, and stays as it is until that twentieth has passed", async () => {
    await world.apply(aDesiredPool());
    const ann = someone();
    const device = randomUUID();
    const first = await world.assigned(aRequest(ann, { device }));
    await world.pass(5);
    const second = await world.assigned(aRequest(ann, { device }));
    expect(second).toMatchObject({ did: first.did, renewed: true });
    expect(second.leasedUntil.getTime() - second.determinedAt.getTime()).toBe(1_890_000);
    await world.pass(60);
    const written = () => world.rows("select n.xmin, n.leased_until, a.xmin, a.xmax from number n join association a on a.did = n.did where n.did = $1::bigint", [first.did.slice(1)]);
    const before = await written();
    const third = await world.assigned(aRequest(ann, { device }));
    expect(third).toMatchObject({ did: first.did, renewed: true });
    expect(third.leasedUntil.getTime() - third.determinedAt.getTime()).toBeGreaterThan(1_800_000);
    expect(await written()).toEqual(before);
    await world.pass(60);
    const fourth = await world.assigned(aRequest(ann, { device }));
    expect(fourth.leasedUntil.getTime() - fourth.determinedAt.getTime()).toBe(1_890_000);
  });

  test("never shortens what was promised when the pool promises less now", async () => {
    await world.apply(aDesiredPool());
    const ann = someone();
    const first = await world.assigned(aRequest(ann));
    await world.apply(aDesiredPool({ leaseSeconds: 60 }));
    expect((await world.assigned(aRequest(ann))).leasedUntil).toEqual(first.leasedUntil);
  });

  test("gives a returning visitor the number back in its cool-down and after it", async () => {
    await world.apply(aDesiredPool());
    const ann = someone();
    const first = await world.assigned(aRequest(ann));
    await world.pass(1801);
    expect(await world.assigned(aRequest(ann))).toMatchObject({ did: first.did, renewed: true });
    await world.pass(100_000);
    expect(await world.assigned(aRequest(ann))).toMatchObject({ did: first.did, renewed: true });
  });

  test("starts a new lease for a returning visitor, so that history tells the two apart", async () => {
    await world.apply(aDesiredPool());
    const request = aRequest(someone());
    await world.assigned(request);
    await world.pass(5000);
    await world.assigned(request);
    const history = await readAssociations(world.database.pool, did(0), 10);
    expect(new Set(history.map((row) => row.leasedFrom.getTime())).size).toBe(2);
  });

  test("gives nobody a number that is leased or cools down", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 0]] }));
    await world.assigned(aRequest(someone()));
    await world.pass(1795);
    expect(await world.claim(aRequest(someone()))).toMatchObject([{ status: "unchanged", reason: "Exhausted" }]);
    await world.pass(900);
    expect(await world.claim(aRequest(someone()))).toMatchObject([{ status: "unchanged", reason: "Exhausted" }]);
    await world.pass(10);
    expect(await world.assigned(aRequest(someone()))).toMatchObject({ did: did(0), renewed: false });
  });

  test("takes numbers that were never lent first, then the one released longest ago", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 2]] }));
    const [ann, bob] = [await world.visitor(), await world.visitor()];
    for (const each of [ann, bob]) await world.assigned(aRequest(each.prospect, each));
    await world.stores.claims.release([SALES], { device: bob.device, isOnlyPage: true });
    await world.pass(60);
    await world.stores.claims.release([SALES], { device: ann.device, isOnlyPage: true });
    await world.pass(3600);
    expect((await world.assigned(aRequest(someone()))).did).toBe(did(2));
    expect(didsOf(await world.claim(aRequest(someone()), aRequest(someone())))).toEqual([did(1), did(0)]);
  });

  test("serves many requests in order: several pools, one prospect twice, an unknown pool, one too many", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 1]] }), aDesiredPool({ key: "shop/help", owned: [[20, 20]] }));
    const [ann, bob, cy] = [someone(), someone(), someone()];
    const results = await world.claim(
      aRequest(ann),
      aRequest(ann, { pool: "shop/help" }),
      aRequest(bob, { pool: "shop/nowhere" }),
      aRequest(bob),
      aRequest(ann, { mediaElement: "footer" }),
      aRequest(cy),
      aRequest(bob, { pool: "shop/help" }),
    );
    expect(didsOf(results)).toEqual([did(0), did(20), null, did(1), did(0), null, null]);
    expect(results[2]).toMatchObject({ status: "unchanged", reason: "UnknownPool" });
    expect(results[5]).toMatchObject({ status: "unchanged", reason: "Exhausted" });
  });

  test("lends one number to one prospect's fifty requests at once, on ten connections", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 99]] }));
    const ann = someone();
    const batches = await Promise.all(Array.from({ length: 50 }, (_, n) => world.claim(aRequest(ann, { mediaElement: `m${n}` }))));
    expect(new Set(batches.flatMap(didsOf)).size).toBe(1);
    expect(await world.rows("select from number where prospect_id is not null")).toHaveLength(1);
  });

  test("leases every number once when a hundred prospects want ten", async () => {
    await world.apply(aDesiredPool());
    const results = await Promise.all(Array.from({ length: 20 }, () => world.claim(...Array.from({ length: 5 }, () => aRequest(someone())))));
    const given = results.flatMap(didsOf).filter((number) => number !== null);
    expect([...given].sort()).toEqual(Array.from({ length: 10 }, (_, n) => did(n)));
  });

  test("of nothing is answered by nothing", async () => {
    expect(await world.claim()).toEqual([]);
  });
});

describe("numbers that a reconcile is writing", () => {
  /** As a reconcile does that takes half of a large pool out of service. */
  async function whileHeld(work: () => Promise<void>): Promise<void> {
    const other = await world.database.pool.connect();
    try {
      await other.query("begin");
      await lockWrites(other);
      await other.query("update number set in_service = false where did = $1::bigint", [did(0).slice(1)]);
      await work();
    } finally {
      await other.query("rollback");
      other.release();
    }
  }

  test("are not waited for: a promise stands as it is, and visitors of other pools are served", async () => {
    const ann = someone();
    await world.apply(aDesiredPool({ owned: [[0, 1]] }), aDesiredPool({ key: "shop/help", owned: [[5, 5]] }));
    const before = await world.assigned(aRequest(ann));
    await world.pass(600);
    await whileHeld(async () => {
      const [hers, other] = await world.claim(aRequest(ann), aRequest(someone(), { pool: "shop/help" }));
      expect(hers).toMatchObject({ status: "assigned", did: before.did, renewed: true });
      expect(other).toMatchObject({ status: "assigned", did: did(5) });
      const left = (assignedOf([hers!]).leasedUntil.getTime() - Date.now()) / 1_000;
      expect(left).toBeGreaterThan(1_150);
      expect(left).toBeLessThan(1_210);
    });
    expect((await world.assigned(aRequest(ann))).leasedUntil.getTime()).toBeGreaterThan(before.leasedUntil.getTime());
  });

  test("by another claim are waited for: the lease reaches as far as ever", async () => {
    const ann = someone();
    await world.apply(aDesiredPool({ owned: [[0, 1]] }));
    await world.assigned(aRequest(ann));
    await world.pass(600);
    const other = await world.database.pool.connect();
    await other.query("begin");
    await other.query("select from number where did = $1::bigint for update", [did(0).slice(1)]);
    const claimed = world.assigned(aRequest(ann));
    await eventually("the claim waits", async () => (await world.rows("select from pg_locks where not granted")).length > 0);
    await other.query("commit");
    other.release();
    const { leasedUntil, determinedAt } = await claimed;
    expect(leasedUntil.getTime() - determinedAt.getTime()).toBeGreaterThanOrEqual(1_800_000);
  });

  test("are not given up for another one: who held one that lapsed asks again", async () => {
    const ann = someone();
    await world.apply(aDesiredPool({ owned: [[0, 1]] }));
    await world.assigned(aRequest(ann));
    await world.pass(1_810);
    await whileHeld(async () => expect(await world.claim(aRequest(ann))).toMatchObject([{ status: "unchanged", reason: "Exhausted" }]));
    expect(await world.assigned(aRequest(ann))).toMatchObject({ did: did(0) });
  });
});

describe("an exhausted pool", () => {
  test("shows its overflow number, which is never lent even when it is listed", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 1]], ...overflowAt(1) }));
    const results = await world.claim(aRequest(someone()), aRequest(someone()), aRequest(someone()));
    expect(results).toMatchObject([{ status: "assigned", did: did(0) }, { status: "overflow", did: did(1) }, { status: "overflow", did: did(1) }]);
    expect(await readAssociations(world.database.pool, did(1), 10)).toEqual([]);
  });

  test("does not show its overflow number while it is still somebody's, or cools down", async () => {
    const ann = someone();
    await world.apply(aDesiredPool({ owned: [[0, 0]] }));
    expect(await world.assigned(aRequest(ann))).toMatchObject({ did: did(0) });
    await world.apply(aDesiredPool({ owned: [], ...overflowAt(0) }));
    expect(await world.claim(aRequest(someone()))).toMatchObject([{ status: "unchanged", reason: "Exhausted" }]);
    expect(await world.stores.router.callContext({ did: did(0), pool: SALES, caller: CALLER, at: new Date() })).toMatchObject({ attribution: "exclusive", prospect: ann });
    await world.pass(1_801);
    expect(await world.claim(aRequest(someone()))).toMatchObject([{ status: "unchanged", reason: "Exhausted" }]);
    await world.pass(900);
    expect(await world.claim(aRequest(someone()))).toMatchObject([{ status: "overflow", did: did(0) }]);
  });

  test("lends what was its overflow number only after a lease and a cool-down: pages show it still", async () => {
    await world.apply(aDesiredPool({ owned: [], ...overflowAt(0) }));
    expect(await world.claim(aRequest(someone()))).toMatchObject([{ status: "overflow", did: did(0) }]);
    await world.apply(aDesiredPool({ owned: [[0, 0]] }));
    expect(didsOf(await world.claim(aRequest(someone())))).toEqual([null]);
    await world.pass(1_801 + 900);
    expect(didsOf(await world.claim(aRequest(someone())))).toEqual([did(0)]);
  });

  test("keeps calls to what was its overflow number for as long as a lease lasts, whoever lists it next", async () => {
    await world.apply(aDesiredPool({ owned: [[1, 1]], ...overflowAt(0) }));
    expect(await world.apply(aDesiredPool({ owned: [[1, 1]] }))).toMatchObject({ changed: true });
    expect(await readPoolOf(world.database.pool, did(0))).toBe(SALES);
    await world.apply(aDesiredPool({ owned: [[1, 1]] }), aDesiredPool({ key: "shop/help", owned: [[0, 0]] }));
    expect(didsOf(await world.claim(aRequest(someone(), { pool: "shop/help" })))).toEqual([null]);
    await world.pass(1_801 + 900);
    expect(didsOf(await world.claim(aRequest(someone(), { pool: "shop/help" })))).toEqual([did(0)]);
  });

  test("leaves the page as it is", async () => {
    await world.apply(aDesiredPool({ owned: [] }));
    expect(await world.claim(aRequest(someone()))).toMatchObject([{ status: "unchanged", reason: "Exhausted" }]);
  });

  describe("that reclaims", () => {
    const reclaiming = (last: number) => aDesiredPool({ owned: [[0, last]], onExhausted: { type: "ReclaimOldest" } });

    test("gives up the cool-down that began longest ago, and no lease", async () => {
      await world.apply(reclaiming(2));
      const [ann, bob, cy] = [await world.visitor(), await world.visitor(), await world.visitor()];
      for (const each of [ann, bob, cy]) await world.assigned(aRequest(each.prospect, each));
      await world.stores.claims.release([SALES], { device: bob.device, isOnlyPage: true });
      await world.pass(10);
      await world.stores.claims.release([SALES], { device: ann.device, isOnlyPage: true });
      const results = await world.claim(aRequest(someone()), aRequest(someone()), aRequest(someone()));
      expect(didsOf(results)).toEqual([did(1), did(0), null]);
    });

    test("prefers a number that is free", async () => {
      await world.apply(reclaiming(1));
      const ann = await world.visitor();
      await world.assigned(aRequest(ann.prospect, ann));
      await world.stores.claims.release([SALES], { device: ann.device, isOnlyPage: true });
      expect(didsOf(await world.claim(aRequest(someone()), aRequest(someone())))).toEqual([did(1), did(0)]);
    });

    test("takes nothing from who is online, in a call, or called on", async () => {
      await world.apply(reclaiming(2));
      const [online, calling, called] = [await world.visitor(), await world.visitor(), await world.visitor()];
      for (const each of [online, calling, called]) await world.assigned(aRequest(each.prospect, each));
      for (const { device } of [online, calling, called]) await world.stores.claims.release([SALES], { device, isOnlyPage: true });
      await world.stores.presence.heartbeat([online.device], 60);
      await world.stores.router.saveCall(aCall({ id: "by another number", did: did(7), prospect: calling.prospect }));
      await world.stores.router.saveCall(aCall({ id: "to this number", did: did(2) }));
      const now = new Date();
      expect(didsOf(await world.claim(aRequest(someone())))).toEqual([null]);
      await world.stores.router.saveCall(aCall({ id: "by another number", did: did(7), prospect: calling.prospect, endedAt: now, end: "completed" }));
      await world.stores.router.saveCall(aCall({ id: "to this number", did: did(2), endedAt: now, end: "completed" }));
      expect(didsOf(await world.claim(aRequest(someone()), aRequest(someone()), aRequest(someone())))).toEqual([did(1), did(2), null]);
    });

    test("takes a number although a call of the day before was left open by a pod that never came back", async () => {
      await world.apply(reclaiming(0));
      const ann = await world.visitor();
      await world.assigned(aRequest(ann.prospect));
      await world.stores.router.saveCall(aCall({ did: did(0), prospect: ann.prospect }));
      await world.pass(25 * 3_600);
      await world.rows("update number set leased_until = now(), free_at = now() + interval '15 minutes'");
      expect(didsOf(await world.claim(aRequest(someone())))).toEqual([did(0)]);
    });

    test("takes nothing from a returning visitor of the same batch", async () => {
      await world.apply(reclaiming(0));
      const ann = await world.visitor();
      await world.assigned(aRequest(ann.prospect, ann));
      await world.stores.claims.release([SALES], { device: ann.device, isOnlyPage: true });
      expect(didsOf(await world.claim(aRequest(someone()), aRequest(ann.prospect)))).toEqual([null, did(0)]);
    });
  });
});

describe("who else is online", () => {
  test("is determined with the claim: the other devices of the prospect, not this one, not a stranger's, not one that left", async () => {
    await world.apply(aDesiredPool());
    const ann = await world.visitor();
    const stranger = await world.visitor();
    const [phone, tablet, gone] = [someone(), someone(), someone()];
    await meet(world.database.pool, [phone, tablet, gone].map((device) => ({ prospect: ann.prospect, device })));
    await world.stores.presence.heartbeat([ann.device, phone, tablet, gone, stranger.device], 60);
    await world.stores.presence.offline([gone]);
    const result = await world.assigned(aRequest(ann.prospect, { device: ann.device }));
    expect(result.otherDevicesOnline).toEqual([phone, tablet].sort());
    expect(Math.abs(result.determinedAt.getTime() - Date.now())).toBeLessThan(60_000);
  });

  test("of very many devices only the 16 heard of last: each is told, and a visitor can make as many as he likes", async () => {
    await world.apply(aDesiredPool());
    const ann = await world.visitor();
    const [old, recent] = [Array.from({ length: 30 }, someone), Array.from({ length: 16 }, someone)];
    await meet(world.database.pool, [...old, ...recent].map((device) => ({ prospect: ann.prospect, device })));
    await world.stores.presence.heartbeat(old, 60);
    await world.stores.presence.heartbeat(recent, 120);
    const { otherDevicesOnline } = await world.assigned(aRequest(ann.prospect, { device: ann.device }));
    expect(otherDevicesOnline).toEqual([...recent].sort());
  });
});

describe("history", () => {
  const history = () => readAssociations(world.database.pool, did(0), 100);

  test("has one association for a lease, device and media element, however often it is shown", async () => {
    await world.apply(aDesiredPool());
    const [ann, laptop, phone] = [someone(), someone(), someone()];
    for (const [device, mediaElement] of [[laptop, "hero"], [laptop, "hero"], [laptop, "footer"], [phone, "hero"], [laptop, "hero"]] as const) {
      await world.assigned(aRequest(ann, { device, mediaElement }));
    }
    const shown = (await history()).map((row) => `${row.device === laptop ? "laptop" : "phone"} ${row.mediaElement}`);
    expect([...shown].sort()).toEqual(["laptop footer", "laptop hero", "phone hero"]);
    expect(shown[0]).toBe("laptop hero");
  });

  test("keeps who was online when it was determined, and again when that changes", async () => {
    await world.apply(aDesiredPool());
    const ann = await world.visitor();
    const phone = someone();
    await meet(world.database.pool, [{ prospect: ann.prospect, device: phone }]);
    const request = aRequest(ann.prospect, { device: ann.device });
    const first = await world.assigned(request);
    expect(await history()).toMatchObject([{ otherDevicesOnline: [], determinedAt: first.determinedAt }]);
    await world.assigned(request);
    expect(await history()).toMatchObject([{ otherDevicesOnline: [], determinedAt: first.determinedAt }]);
    await world.stores.presence.heartbeat([phone], 60);
    const third = await world.assigned(request);
    expect(await history()).toMatchObject([{ otherDevicesOnline: [phone], determinedAt: third.determinedAt }]);
  });

  test("keeps the attributes of the session as they were last told", async () => {
    await world.apply(aDesiredPool());
    const request = aRequest(someone(), { attributes: { utm_source: "news" } });
    await world.claim(request, { ...request, attributes: { utm_source: "search" } });
    expect(await history()).toMatchObject([{ attributes: { utm_source: "search" } }]);
  });
});

describe("a release", () => {
  test("ends the lease now, starts the cool-down and touches nobody else's", async () => {
    await world.apply(aDesiredPool());
    const ann = await world.visitor();
    await world.claim(aRequest(ann.prospect, ann), aRequest(someone()));
    const before = Date.now();
    await world.stores.claims.release([SALES], { device: ann.device, isOnlyPage: true });
    const [[released], [kept]] = [await state(0), await state(1)];
    expect(Math.abs(released!.leased_until.getTime() - before)).toBeLessThan(60_000);
    expect(released!.free_at.getTime() - released!.leased_until.getTime()).toBe(900_000);
    expect(kept!.leased_until.getTime()).toBeGreaterThan(before + 1_700_000);
  });

  describe("of a number that another page of the person may show", () => {
    const CASES: Record<string, (ann: { prospect: string; device: string }) => Promise<{ device: string; isOnlyPage: boolean }>> = {
      "because the person has another device, which is asleep": async ({ prospect, device }) => {
        await world.claim(aRequest(prospect));
        return { device, isOnlyPage: true };
      },
      "because the device has pages that hear nothing of it": ({ device }) => Promise.resolve({ device, isOnlyPage: false }),
      "because a device had it that is somebody else's now": async ({ prospect, device }) => {
        const phone = someone();
        await world.claim(aRequest(prospect, { device: phone }));
        await world.stores.prospects.leave(phone);
        return { device, isOnlyPage: true };
      },
      "because one was told of it that is somebody else's now": async ({ prospect, device }) => {
        const phone = someone();
        await world.claim(aRequest(prospect, { device: phone, pool: "shop/help" }));
        await world.stores.presence.heartbeat([phone], 60);
        await world.claim(aRequest(prospect, { device }));
        await world.stores.prospects.leave(phone);
        return { device, isOnlyPage: true };
      },
    };

    test.each(Object.entries(CASES))("%s, ends the lease, and nobody else gets the number before that page was promised it", async (_, others) => {
      await world.apply(aDesiredPool({ owned: [[0, 0]], cooldownSeconds: 60 }), aDesiredPool({ key: "shop/help", owned: [[20, 29]] }));
      const ann = await world.visitor();
      await world.assigned(aRequest(ann.prospect, ann));
      const by = await others(ann);
      const [before] = await state(0);
      await world.stores.claims.release([SALES], by);
      const [after] = await state(0);
      expect(after!.leased_until.getTime()).toBeLessThan(before!.leased_until.getTime() - 1_700_000);
      expect(after!.free_at).toEqual(before!.leased_until);
      await world.pass(1_795);
      expect(didsOf(await world.claim(aRequest(someone())))).toEqual([null]);
      await world.pass(100);
      expect(didsOf(await world.claim(aRequest(someone())))).toEqual([did(0)]);
    });

    test("lets it cool down after the release at least", async () => {
      await world.apply(aDesiredPool({ owned: [[0, 0]], cooldownSeconds: 7_200 }));
      const ann = await world.visitor();
      await world.claim(aRequest(ann.prospect, ann), aRequest(ann.prospect));
      await world.stores.claims.release([SALES], { device: ann.device, isOnlyPage: true });
      const [after] = await state(0);
      expect(after!.free_at.getTime() - after!.leased_until.getTime()).toBe(7_200_000);
    });

    test("is no cool-down that a pool reclaims, until the promise is over", async () => {
      await world.apply(aDesiredPool({ owned: [[0, 0]], cooldownSeconds: 7_200, onExhausted: { type: "ReclaimOldest" } }));
      const ann = await world.visitor();
      await world.claim(aRequest(ann.prospect, ann), aRequest(ann.prospect));
      await world.stores.claims.release([SALES], { device: ann.device, isOnlyPage: true });
      await world.pass(1_795);
      expect(didsOf(await world.claim(aRequest(someone())))).toEqual([null]);
      await world.pass(10);
      expect(didsOf(await world.claim(aRequest(someone())))).toEqual([did(0)]);
    });

    test("keeps the promise where the person asks again and is gone sooner than it ends", async () => {
      await world.apply(aDesiredPool({ owned: [[0, 0]], cooldownSeconds: 0 }));
      const ann = await world.visitor();
      await world.claim(aRequest(ann.prospect, ann), aRequest(ann.prospect));
      await world.pass(60);
      await world.claim(aRequest(ann.prospect, ann));
      await world.stores.claims.release([SALES], { device: ann.device, isOnlyPage: true });
      expect(await world.assigned(aRequest(ann.prospect, ann))).toMatchObject({ did: did(0) });
      await world.pass(1_801);
      expect(didsOf(await world.claim(aRequest(someone())))).toEqual([null]);
      await world.pass(90);
      expect(didsOf(await world.claim(aRequest(someone())))).toEqual([did(0)]);
    });

    test("leaves a number that retires in the dialplan for as long", async () => {
      await world.apply(aDesiredPool({ owned: [[0, 1]] }));
      const ann = await world.visitor();
      await world.claim(aRequest(ann.prospect, ann), aRequest(ann.prospect));
      await world.apply(aDesiredPool({ owned: [[1, 1]] }));
      await world.stores.claims.release([SALES], { device: ann.device, isOnlyPage: true });
      const { retiresInSeconds } = await world.apply(aDesiredPool({ owned: [[1, 1]] }));
      expect(retiresInSeconds).toBeGreaterThan(1_700);
    });
  });

  test("ends the leases of several pools at once, also where one of them is unknown", async () => {
    await world.apply(aDesiredPool(), aDesiredPool({ key: "shop/help", owned: [[20, 29]] }));
    const ann = await world.visitor();
    await world.claim(aRequest(ann.prospect, ann), aRequest(ann.prospect, { ...ann, pool: "shop/help" }));
    const held = () => world.rows("select did from number where leased_until > clock_timestamp()");
    expect(await held()).toHaveLength(2);
    await world.stores.claims.release([SALES, "shop/help", "shop/nowhere"], { device: ann.device, isOnlyPage: true });
    expect(await held()).toEqual([]);
  });

  test("tells the 16 devices heard of last what was shown last, 32 media elements", async () => {
    await world.apply(aDesiredPool());
    const ann = await world.visitor();
    const devices = Array.from({ length: 18 }, () => someone());
    await meet(world.database.pool, devices.map((device) => ({ prospect: ann.prospect, device })));
    for (const [index, device] of devices.entries()) await world.stores.presence.heartbeat([device], 60 + index);
    const elements = Array.from({ length: 34 }, (_, index) => `element-${index}`);
    for (const mediaElement of elements) await world.claim(aRequest(ann.prospect, { device: ann.device, mediaElement }));
    const told = await world.stores.claims.release([SALES], { device: ann.device, isOnlyPage: true });
    expect(new Set(told.map(({ device }) => device))).toEqual(new Set(devices.slice(2)));
    expect(new Set(told.map(({ mediaElement }) => mediaElement))).toEqual(new Set(elements.slice(2)));
  });

  test("of what ended already, of an unknown pool and by a stranger changes nothing, and makes nobody known", async () => {
    await world.apply(aDesiredPool());
    const ann = await world.visitor();
    await world.assigned(aRequest(ann.prospect, ann));
    await world.pass(2000);
    const before = await state(0);
    await world.stores.claims.release([SALES], { device: ann.device, isOnlyPage: true });
    await world.stores.claims.release(["shop/nowhere"], { device: ann.device, isOnlyPage: true });
    expect(await world.stores.claims.release([SALES], { device: someone(), isOnlyPage: true })).toEqual([]);
    expect(await state(0)).toEqual(before);
    expect(await world.rows("select from device union all select from prospect")).toHaveLength(2);
  });
});

describe("a number that was taken out of the pool while leased", () => {
  test("is honoured to its end but not extended, then the prospect gets another", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 1]] }));
    const ann = someone();
    const first = await world.assigned(aRequest(ann));
    await world.apply(aDesiredPool({ owned: [[1, 1]] }));
    await world.pass(60);
    const honoured = await world.assigned(aRequest(ann));
    expect(honoured).toMatchObject({ did: did(0), renewed: true });
    expect(honoured.leasedUntil.getTime()).toBe(first.leasedUntil.getTime() - 60_000);
    await world.pass(1745);
    expect(await world.assigned(aRequest(ann))).toMatchObject({ did: did(1), renewed: false });
  });

  test("is honoured also when it is taken out while its holder asks", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 1]] }));
    const ann = someone();
    const first = await world.assigned(aRequest(ann));
    await world.pass(60);
    const other = await world.database.pool.connect();
    await other.query("begin");
    await other.query("update number set in_service = false where did = $1::bigint", [did(0).slice(1)]);
    const claimed = world.assigned(aRequest(ann));
    await eventually("the claim waits", async () => (await world.rows("select from pg_locks where not granted")).length > 0);
    await other.query("commit");
    other.release();
    const honoured = await claimed;
    expect(honoured).toMatchObject({ did: did(0), renewed: true });
    expect(honoured.leasedUntil.getTime()).toBe(first.leasedUntil.getTime() - 60_000);
  });

  test("is not shown where the prospect has one that stays in service", async () => {
    const ann = someone();
    await world.apply(aDesiredPool({ owned: [[0, 0]] }), aDesiredPool({ key: "shop/help", owned: [[1, 1]] }));
    await world.assigned(aRequest(ann));
    await world.pass(10);
    await world.assigned(aRequest(ann, { pool: "shop/help" }));
    await world.apply(aDesiredPool({ owned: [] }), aDesiredPool({ key: "shop/help", owned: [[1, 1]] }));
    await world.apply(aDesiredPool({ owned: [[1, 1]] }));
    expect(await world.assigned(aRequest(ann))).toMatchObject({ did: did(1), renewed: true });
  });

  test("goes to nobody else, and comes back with its cool-down", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 0]] }));
    await world.assigned(aRequest(someone()));
    await world.apply(aDesiredPool({ owned: [] }));
    await world.pass(2000);
    expect(didsOf(await world.claim(aRequest(someone())))).toEqual([null]);
    await world.apply(aDesiredPool({ owned: [[0, 0]] }));
    expect(didsOf(await world.claim(aRequest(someone())))).toEqual([null]);
    await world.pass(800);
    expect(didsOf(await world.claim(aRequest(someone())))).toEqual([did(0)]);
  });
});

test("claims, reconciles, log-ins, releases and erasures at the same time all succeed", async () => {
  const layouts = [aDesiredPool({ owned: [[0, 40]] }), aDesiredPool({ owned: [[20, 60]] })];
  const other = aDesiredPool({ key: "shop/help", owned: [[0, 19]] });
  await world.apply(layouts[0]!);
  const visitors = await Promise.all(Array.from({ length: 12 }, () => world.visitor()));
  const rounds = Array.from({ length: 25 }, (_, n) => n);
  const claims = visitors.map(async ({ prospect, device }) => {
    for (const n of rounds) await world.claim(aRequest(prospect, { device }), aRequest(visitors[n % 12]!.prospect));
  });
  const applies = (async () => {
    for (const n of rounds) await world.stores.operator.apply(desired({ pools: n % 2 === 0 ? [layouts[1]!, other] : [layouts[0]!] }));
  })();
  const logins = visitors.map(async ({ prospect, device }, n) => {
    await world.stores.prospects.identify({ site: "shop", subject: `person ${n % 4}`, prospect, device });
    await world.stores.presence.heartbeat(visitors.map((each) => each.device), 60);
    await world.stores.claims.release([SALES], { device, isOnlyPage: true });
    if (n % 6 === 0) await world.stores.prospects.erase(prospect);
  });
  await Promise.all([...claims, applies, ...logins]);
  const twice = await world.rows("select pool_uid, prospect_id from number where in_service and not superseded and prospect_id is not null group by 1, 2 having count(*) > 1");
  expect(twice).toEqual([]);
});
