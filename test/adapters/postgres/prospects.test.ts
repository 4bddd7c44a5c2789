import { randomUUID } from "node:crypto";

import { describe, expect, test } from "vitest";

import { connect } from "../../../src/adapters/postgres/connect.ts";
import { eraseProspect } from "../../../src/adapters/postgres/prospects.ts";
import { readAssociations } from "../../../src/adapters/postgres/read-associations.ts";
import type { Uuid } from "../../../src/domain/types.ts";
import { meet } from "../../harness/meet.ts";
import { silent } from "../../harness/logger.ts";
import { aCall, aDesiredPool, aRequest, CALLER, did, eachWithWorld, SALES } from "./world.ts";

const world = eachWithWorld();

const identify = (subject: string, { prospect, device }: { prospect: Uuid; device: Uuid }, site = "shop") =>
  world.stores.prospects.identify({ site, subject, prospect, device });
const whoseIs = async (device: Uuid) => (await world.rows<{ prospect_id: Uuid }>("select prospect_id from device where id = $1::uuid", [device]))[0]?.prospect_id;

describe("who asks", () => {
  test("is stored, prospects and devices, answered in the order asked, and again without harm", async () => {
    const devices = Array.from({ length: 3 }, () => ({ prospect: randomUUID(), device: randomUUID() }));
    const expected = devices.map(({ prospect }) => prospect);
    expect(await meet(world.database.pool, devices)).toEqual(expected);
    expect(await meet(world.database.pool, [...devices].reverse())).toEqual([...expected].reverse());
    expect(await meet(world.database.pool, [])).toEqual([]);
  });

  test("is the prospect that the device belongs to, whatever the page says", async () => {
    const ann = await world.visitor();
    expect(await meet(world.database.pool, [{ prospect: randomUUID(), device: ann.device }])).toEqual([ann.prospect]);
  });

  test("is the same for many processes at once", async () => {
    const devices = Array.from({ length: 20 }, () => ({ prospect: randomUUID(), device: randomUUID() }));
    const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => meet(world.database.pool, n % 2 === 0 ? devices : [...devices].reverse())));
    for (const [n, answer] of answers.entries()) expect(n % 2 === 0 ? answer : [...answer].reverse()).toEqual(devices.map(({ prospect }) => prospect));
  });
});

describe("a prospect whose lock is waited for", () => {
  /** `first` gets the lock before `then`, which has looked whose its device is by then. */
  async function meanwhile<T>(prospect: Uuid, first: () => Promise<unknown>, then: () => Promise<T>): Promise<T> {
    const holder = await world.database.pool.connect();
    await holder.query("begin");
    await holder.query("select pg_advisory_xact_lock(hashtextextended($1::text, 0))", [prospect]);
    const begun: Promise<unknown>[] = [];
    for (const begin of [first, then]) {
      begun.push(begin());
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await holder.query("commit");
    holder.release();
    return (await Promise.all(begun))[1] as T;
  }

  test("and that is merged meanwhile leaves a new device to the survivor: what it gives back is given back", async () => {
    await world.apply(aDesiredPool());
    const [ann, phone] = [await world.visitor(), await world.visitor()];
    await identify("ann", ann);
    const device = randomUUID();
    await meanwhile(phone.prospect, () => identify("ann", phone), () => world.assigned(aRequest(phone.prospect, { device })));
    expect(await whoseIs(device)).toBe(ann.prospect);
    await world.stores.claims.release([SALES], { device, isOnlyPage: true });
    expect((await world.stores.operator.totals())[SALES]).toMatchObject({ leased: 0 });
  });

  test("and that is erased meanwhile is somebody new, of whom nothing is kept under the old id", async () => {
    await world.apply(aDesiredPool());
    const ann = await world.visitor();
    await world.assigned(aRequest(ann.prospect, ann));
    const { prospect, did: shown } = await meanwhile(ann.prospect, () => world.stores.prospects.erase(ann.prospect), () => world.assigned(aRequest(ann.prospect, ann)));
    expect(prospect).not.toBe(ann.prospect);
    expect(await readAssociations(world.database.pool, shown, 10)).toMatchObject([{ prospect, device: ann.device }]);
    expect(await whoseIs(ann.device)).toBe(prospect);
    expect(await world.assigned(aRequest(ann.prospect, ann))).toMatchObject({ did: shown, prospect });
  });
});

describe("a log-in", () => {
  test("of somebody new makes the device's prospect that person", async () => {
    const ann = await world.visitor();
    expect(await identify("ann", ann)).toEqual({ prospect: ann.prospect, merged: false });
    expect(await identify("ann", ann)).toEqual({ prospect: ann.prospect, merged: false });
  });

  test("on a second device joins it to the person, and a third likewise; the prospect known first survives", async () => {
    const [laptop, phone, tablet] = [await world.visitor(), await world.visitor(), await world.visitor()];
    await identify("ann", phone);
    expect(await identify("ann", laptop)).toEqual({ prospect: laptop.prospect, merged: true });
    expect(await identify("ann", tablet)).toEqual({ prospect: laptop.prospect, merged: true });
    for (const { device } of [laptop, phone, tablet]) expect(await whoseIs(device)).toBe(laptop.prospect);
    const late = randomUUID();
    expect(await meet(world.database.pool, [{ prospect: tablet.prospect, device: late }])).toEqual([laptop.prospect]);
  });

  test("on a device that is known makes nobody of who its tokens name besides", async () => {
    const ann = await world.visitor();
    expect(await identify("ann", { ...ann, prospect: randomUUID() })).toEqual({ prospect: ann.prospect, merged: false });
    expect(await world.rows("select id from prospect")).toEqual([{ id: ann.prospect }]);
  });

  test("works for a device that was never seen", async () => {
    const [prospect, device] = [randomUUID(), randomUUID()];
    expect(await identify("ann", { prospect, device })).toEqual({ prospect, merged: false });
    expect(await whoseIs(device)).toBe(prospect);
  });

  test("at two sites under the same name is two persons", async () => {
    const [one, two] = [await world.visitor(), await world.visitor()];
    await identify("ann", one, "shop");
    expect(await identify("ann", two, "garage")).toEqual({ prospect: two.prospect, merged: false });
  });

  test("keeps no name: only its hash is stored", async () => {
    await identify("ann@example.org", await world.visitor());
    expect(JSON.stringify(await world.rows("select * from person"))).not.toContain("ann@example.org");
  });

  test("of one person on ten devices at the same time ends with one prospect", async () => {
    const devices = await Promise.all(Array.from({ length: 10 }, () => world.visitor()));
    await Promise.all(devices.map((device) => identify("ann", device)));
    expect(new Set(await Promise.all(devices.map(({ device }) => whoseIs(device)))).size).toBe(1);
  });

  test("of two persons with one anonymous device at the same time keeps them apart", async () => {
    const shared = await world.visitor();
    const phone = randomUUID();
    await meet(world.database.pool, [{ prospect: shared.prospect, device: phone }]);
    const [ann, bob] = await Promise.all([identify("ann", shared), identify("bob", { prospect: shared.prospect, device: phone })]);
    expect(ann.prospect).not.toBe(bob.prospect);
  });
});

describe("leases of prospects that turn out to be one person", () => {
  test("the older wins on both devices; the other points to the same person until it ends, and is then free", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 2]] }));
    const [laptop, phone] = [await world.visitor(), await world.visitor()];
    const younger = await world.visitor();
    await world.assigned(aRequest(phone.prospect, phone));
    await world.pass(60);
    await world.assigned(aRequest(laptop.prospect, laptop));
    await identify("ann", phone);
    const { prospect } = await identify("ann", laptop);
    for (const { device } of [laptop, phone]) expect(await world.assigned(aRequest(prospect, { device }))).toMatchObject({ did: did(0), renewed: true });
    for (const number of [0, 1]) {
      const context = await world.stores.router.callContext({ did: did(number), pool: SALES, caller: null, at: new Date() });
      expect(context).toMatchObject({ attribution: "exclusive", prospect, mediaElements: ["hero"] });
    }
    await world.pass(1500);
    await world.assigned(aRequest(prospect));
    await world.pass(1300);
    await world.assigned(aRequest(younger.prospect));
    expect(await world.assigned(aRequest(randomUUID()))).toMatchObject({ did: did(1), renewed: false });
    expect(await world.assigned(aRequest(prospect))).toMatchObject({ did: did(0), renewed: true });
  });

  test("a lease that lives wins over an older one that ended", async () => {
    await world.apply(aDesiredPool());
    const [laptop, phone] = [await world.visitor(), await world.visitor()];
    await world.assigned(aRequest(laptop.prospect));
    await world.pass(2000);
    await world.assigned(aRequest(phone.prospect));
    await identify("ann", laptop);
    const { prospect } = await identify("ann", phone);
    expect(await world.assigned(aRequest(prospect))).toMatchObject({ did: did(1), renewed: true });
  });

  test("earlier calls of both are the person's", async () => {
    await world.apply(aDesiredPool());
    const [laptop, phone] = [await world.visitor(), await world.visitor()];
    await world.stores.router.saveCall(aCall({ prospect: phone.prospect }));
    await identify("ann", laptop);
    await identify("ann", phone);
    expect(await world.rows("select prospect_id from call")).toEqual([{ prospect_id: laptop.prospect }]);
  });

  test("a number that somebody else got meanwhile stays somebody else's", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 1]], cooldownSeconds: 0 }));
    const [laptop, phone] = [await world.visitor(), await world.visitor()];
    await world.claim(aRequest(laptop.prospect), aRequest(phone.prospect));
    await identify("ann", laptop);
    await world.pass(2000);
    const stranger = randomUUID();
    const holder = await world.database.pool.connect();
    await holder.query("begin");
    await holder.query("select n.* from meet_visitors($2, $3) as m (prospects) cross join lateral claim_numbers($1, m.prospects, $3, $4, $5) as n", [[SALES], [stranger], [randomUUID()], ["hero"], "[{}]"]);
    const joined = identify("ann", phone);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await holder.query("commit");
    holder.release();
    await joined;
    expect(await world.assigned(aRequest(stranger))).toMatchObject({ renewed: true });
    expect(await world.rows("select from number where prospect_id = $1::uuid and not superseded", [stranger])).toHaveLength(1);
  });
});

describe("a device that two people share", () => {
  test("belongs to whoever logged in last, with a number of each one's own", async () => {
    await world.apply(aDesiredPool());
    const kitchen = await world.visitor();
    const ann = await identify("ann", kitchen);
    const hers = await world.assigned(aRequest(ann.prospect, { device: kitchen.device }));
    const bob = await identify("bob", { ...kitchen, prospect: ann.prospect });
    expect(bob).toMatchObject({ merged: false });
    expect(bob.prospect).not.toBe(ann.prospect);
    const his = await world.assigned(aRequest(bob.prospect, { device: kitchen.device }));
    expect(his.did).not.toBe(hers.did);
    expect(await identify("ann", { ...kitchen, prospect: bob.prospect })).toEqual({ prospect: ann.prospect, merged: false });
    expect(await world.assigned(aRequest(ann.prospect))).toMatchObject({ did: hers.did, renewed: true });
  });

  test("does not join two people of one household, whoever logs in where", async () => {
    const [laptop, phone] = [await world.visitor(), await world.visitor()];
    const ann = await identify("ann", laptop);
    const bob = await identify("bob", phone);
    await identify("bob", { ...laptop, prospect: ann.prospect });
    await identify("ann", { ...phone, prospect: bob.prospect });
    expect(await whoseIs(laptop.device)).toBe(bob.prospect);
    expect(await whoseIs(phone.device)).toBe(ann.prospect);
    expect(bob.prospect).not.toBe(ann.prospect);
  });

  test("belongs to whoever logged in last also where the log-ins are two systems': that it is one person nobody can know", async () => {
    const kitchen = await world.visitor();
    const inTheShop = await identify("ann", kitchen, "shop");
    const inTheForum = await identify("ann42", { ...kitchen, prospect: inTheShop.prospect }, "forum");
    expect(inTheForum).toMatchObject({ merged: false });
    expect(inTheForum.prospect).not.toBe(inTheShop.prospect);
    expect(await identify("ann", { ...kitchen, prospect: inTheForum.prospect }, "shop")).toEqual({ prospect: inTheShop.prospect, merged: false });
  });

  test("gets a prospect of its own at log-out, and its next person is somebody else", async () => {
    const laptop = await world.visitor();
    const ann = await identify("ann", laptop);
    const anonymous = await world.stores.prospects.leave(laptop.device);
    expect(anonymous).not.toBe(ann.prospect);
    expect(await whoseIs(laptop.device)).toBe(anonymous);
    expect(await identify("bob", { ...laptop, prospect: anonymous })).toEqual({ prospect: anonymous, merged: false });
  });

  test("may log out before it was ever seen", async () => {
    const device = randomUUID();
    const prospect = await world.stores.prospects.leave(device);
    expect(await whoseIs(device)).toBe(prospect);
  });
});

describe("an erasure", () => {
  const TABLES = "select table_name as name from information_schema.tables where table_schema = 'public'";

  async function everything(): Promise<string> {
    const tables = await world.rows<{ name: string }>(TABLES);
    const rows = await Promise.all(tables.map(({ name }) => world.rows(`select to_jsonb(t) as row from ${name} t`)));
    return JSON.stringify(rows);
  }

  test.each(["the survivor's id", "the id that was merged"] as const)("by %s leaves no identity in any table", async (by) => {
    await world.apply(aDesiredPool({ owned: [[0, 1]], cooldownSeconds: 0 }));
    const [laptop, phone, bob] = [await world.visitor(), await world.visitor(), await world.visitor()];
    for (const each of [laptop, phone]) await world.assigned(aRequest(each.prospect, { ...each, attributes: { email: "ann@example.org" }, mediaElement: "for ann" }));
    await identify("subject ann", laptop);
    await identify("subject ann", phone);
    await world.stores.presence.heartbeat([laptop.device, phone.device], 60);
    await world.assigned(aRequest(laptop.prospect, { device: laptop.device }));
    const why = [{ rule: null, matched: false, reason: "CallerPrefixDiffers", message: `${CALLER} does not begin with +1` }] as const;
    await world.stores.router.saveCall(aCall({ prospect: phone.prospect, attributes: { email: "ann@example.org" }, mediaElement: "for ann", why }));
    await world.pass(100_000);
    await world.assigned(aRequest(bob.prospect, bob));
    const secrets = [laptop.prospect, laptop.device, phone.prospect, phone.device, "ann@example.org", "for ann", CALLER.slice(1)];
    const before = await everything();
    for (const secret of secrets) expect(before).toContain(secret);

    await world.stores.prospects.erase(by === "the survivor's id" ? laptop.prospect : phone.prospect);
    const after = await everything();
    for (const secret of secrets) expect(after).not.toContain(secret);
    expect(await world.rows("select from person")).toEqual([]);
    expect(await world.rows("select pool_key, did from call")).toHaveLength(1);
    expect(await readAssociations(world.database.pool, did(1), 10)).toMatchObject([{ prospect: bob.prospect }]);
  });

  test("frees nobody's number early, and who comes back is somebody new", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 0]] }));
    const ann = await world.visitor();
    await world.assigned(aRequest(ann.prospect, ann));
    await world.stores.prospects.erase(ann.prospect);
    expect(await world.claim(aRequest(ann.prospect, ann))).toMatchObject([{ status: "unchanged", reason: "Exhausted" }]);
    expect(await world.stores.router.callContext({ did: did(0), pool: SALES, caller: null, at: new Date() })).toMatchObject({ attribution: "none", prospect: null });
    await world.pass(2701);
    expect(await world.assigned(aRequest(ann.prospect, ann))).toMatchObject({ did: did(0), renewed: false });
  });

  test("does not go through all numbers", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 49_999]], cooldownSeconds: 0 }));
    const ann = await world.visitor();
    await world.assigned(aRequest(ann.prospect, ann));
    await world.pass(100_000);
    await world.rows("update number set leased_until = leased_until - interval '1 day', free_at = '-infinity' where prospect_id = $1::uuid", [ann.prospect]);
    await world.assigned(aRequest(randomUUID()));
    await world.rows("analyze");
    const read = async () => (await world.rows<{ n: number }>("select seq_tup_read::int as n from pg_stat_user_tables where relname = 'number'"))[0]?.n ?? 0;
    const erasing = connect(world.database.url, silent, { max: 1 });
    // A connection tells what it read at its end.
    await world.rows("select pg_stat_force_next_flush()");
    const before = await read();
    await eraseProspect(erasing, ann.prospect);
    await erasing.query("select pg_stat_force_next_flush()");
    await erasing.query("select 1");
    await erasing.end();
    expect(await world.rows("select from number where $1::uuid in (prospect_id, previous_prospect_id)", [ann.prospect])).toEqual([]);
    expect((await read()) - before).toBeLessThan(50_000);
  });

  test("makes each device that comes back somebody new, by itself or by a log-in, and one and the same however often it asks at once", async () => {
    const [ann, laptop] = [await world.visitor(), randomUUID()];
    await meet(world.database.pool, [{ prospect: ann.prospect, device: laptop }]);
    await world.stores.prospects.erase(ann.prospect);
    const [phone, other] = [ann, { prospect: ann.prospect, device: laptop }];
    const met = (await Promise.all(Array.from({ length: 4 }, () => meet(world.database.pool, [phone, phone])))).flat();
    expect(new Set(met).size).toBe(1);
    const { prospect } = await identify("bob", other);
    expect(new Set([ann.prospect, met[0], prospect]).size).toBe(3);
    expect(await whoseIs(laptop)).toBe(prospect);
    expect((await world.rows<{ id: string }>("select id from prospect")).map(({ id }) => id).sort()).toEqual([met[0], prospect].sort());
    await world.stores.prospects.erase(prospect);
    expect(await meet(world.database.pool, [{ prospect, device: laptop }])).not.toEqual([prospect]);
  });

  test("of somebody unknown changes nothing", async () => {
    const ann = await world.visitor();
    await world.stores.prospects.erase(randomUUID());
    expect(await whoseIs(ann.device)).toBe(ann.prospect);
  });
});
