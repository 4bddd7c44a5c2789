import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { purgeOlder } from "../../../src/adapters/postgres/retention.ts";
import { meet } from "../../harness/meet.ts";
import { aCall, aDesiredPool, aRequest, did, eachWithWorld, SALES } from "./world.ts";

const world = eachWithWorld();
const DAY = 86_400;
const nothing = { associations: 0, calls: 0, numbers: 0, devices: 0, prospects: 0 };
const count = async (table: "association" | "call" | "device" | "prospect" | "person") => (await world.rows<{ n: number }>(`select count(*)::int as n from ${table}`))[0]?.n;
const purge = () => purgeOlder(world.database.pool, 30 * DAY);
const ended = { endedAt: new Date(), end: "completed", answeredAt: new Date() } as const;

it("what is older than the retention goes, in bounded statements; live leases and calls in progress stay, and so does what is younger", async () => {
  await world.apply(aDesiredPool({ owned: [[0, 99]] }));
  const [old, alive, young] = [await world.visitor(), await world.visitor(), await world.visitor()];
  await world.claim(aRequest(old.prospect, old), aRequest(alive.prospect, alive));
  // More than one statement's worth, all of long ago.
  await world.rows(
    `insert into association (did, pool_uid, prospect_id, device_id, media_element, attributes, leased_from, other_devices_online, determined_at, shown_at)
     select did, pool_uid, prospect_id, gen_random_uuid(), media_element, attributes, leased_from, other_devices_online, determined_at, shown_at
     from association, generate_series(1, 2500) where prospect_id = $1`,
    [old.prospect],
  );
  await world.stores.router.saveCall(aCall(ended));
  await world.stores.router.saveCall(aCall());
  await world.pass(40 * DAY);
  await world.rows("update number set leased_until = now() + interval '1 hour' where prospect_id = $1", [alive.prospect]);
  await world.claim(aRequest(young.prospect, young));
  await world.stores.router.saveCall(aCall(ended));

  expect(await purge()).toEqual({ associations: 2501, calls: 1, numbers: 1, devices: 1, prospects: 1 });
  expect(await count("association")).toBe(2);
  expect(await count("call")).toBe(2);
  expect((await world.rows<{ id: string }>("select id from prospect")).map(({ id }) => id).sort()).toEqual([alive.prospect, young.prospect].sort());
  expect(await purge()).toEqual(nothing);
});

it("what may go goes, however much that is older has to stay", async () => {
  await world.apply(aDesiredPool({ owned: [[0, 99]] }));
  const [alive, old] = [await world.visitor(), await world.visitor()];
  const copies = (prospect: string, how: number) =>
    world.rows(
      `insert into association (did, pool_uid, prospect_id, device_id, media_element, attributes, leased_from, other_devices_online, determined_at, shown_at)
       select did, pool_uid, prospect_id, gen_random_uuid(), media_element, attributes, leased_from, other_devices_online, determined_at, shown_at
       from association, generate_series(1, $2::int) where prospect_id = $1`,
      [prospect, how],
    );
  await world.claim(aRequest(alive.prospect, alive));
  await copies(alive.prospect, 4_500);
  await world.claim(aRequest(old.prospect, old));
  await copies(old.prospect, 300);
  await world.pass(40 * DAY);
  await world.rows("update number set leased_until = now() + interval '1 hour' where prospect_id = $1", [alive.prospect]);
  // The rest of the first page is not even old: it was shown again.
  await world.rows("update association set shown_at = now() where id in (select id from association order by id limit 3000)");
  expect(await purge()).toMatchObject({ associations: 301 });
  expect(await count("association")).toBe(4_501);
});

describe("a number that was shown long ago and whose lease ended just now", () => {
  /** A page that was open for long: it renewed its number without showing anything new. */
  async function keptOpen() {
    await world.apply(aDesiredPool({ owned: [[0, 0]] }));
    const who = await world.visitor();
    await world.claim(aRequest(who.prospect, who));
    await world.pass(40 * DAY);
    await world.rows("update number set leased_until = now() - interval '1 hour', free_at = now() - interval '45 minutes'");
    return who;
  }

  it("is still known to have been that visitor's: a call to it comes from the media element", async () => {
    const who = await keptOpen();
    expect(await purge()).toMatchObject({ associations: 0, numbers: 0 });
    expect(await world.stores.router.callContext({ did: did(0), pool: SALES, caller: null, at: new Date() })).toMatchObject({ attribution: "stale", prospect: who.prospect, mediaElements: ["hero"] });
    await world.pass(30 * DAY);
    expect(await purge()).toMatchObject({ associations: 1, numbers: 1 });
  });

  it.each(["by nobody else", "by the person that he became"])("forgets a visitor who is erased after somebody else got it, wherever he was merged into: %s", async (how) => {
    const who = await keptOpen();
    await world.claim(aRequest(randomUUID()));
    expect(await world.rows("select previous_prospect_id from number")).toEqual([{ previous_prospect_id: who.prospect }]);
    let erased = who.prospect;
    if (how !== "by nobody else") {
      const before = await world.visitor();
      await world.rows("update prospect set created_at = now() - interval '50 days' where id = $1::uuid", [before.prospect]);
      for (const each of [before, who]) await world.stores.prospects.identify({ site: "acme", subject: "anna", ...each });
      erased = before.prospect;
    }
    await purge();
    await world.stores.prospects.erase(erased);
    expect(await world.rows("select previous_prospect_id from number")).toEqual([{ previous_prospect_id: null }]);
  });
});

describe("a prospect of long ago", () => {
  const left = async () => ({ prospects: await count("prospect"), devices: await count("device") });

  it.each<[string, (who: { prospect: string; device: string }) => Promise<unknown>]>([
    ["with a call of late", (who) => world.stores.router.saveCall(aCall({ ...ended, prospect: who.prospect }))],
    ["with a live lease", (who) => world.claim(aRequest(who.prospect, who))],
  ])("%s stays", async (_what, keep) => {
    await world.apply(aDesiredPool());
    const who = await world.visitor();
    await world.pass(40 * DAY);
    await keep(who);
    expect((await purge()).prospects).toBe(0);
    expect((await left()).prospects).toBe(1);
  });

  it("whose device was heard of stays, with the device", async () => {
    const who = await world.visitor();
    await world.pass(40 * DAY);
    await world.stores.presence.heartbeat([who.device], 45);
    expect(await purge()).toEqual(nothing);
  });

  it("stays with the devices that are in use; those that are not go", async () => {
    const who = await world.visitor();
    const other = randomUUID();
    await meet(world.database.pool, [{ prospect: who.prospect, device: other }]);
    await world.pass(40 * DAY);
    await world.stores.presence.heartbeat([other], 45);
    expect(await purge()).toEqual({ ...nothing, devices: 1 });
    expect(await left()).toEqual({ prospects: 1, devices: 1 });
  });

  it("that was merged stays as long as the one it was merged into, then both go with the log-in", async () => {
    const [phone, laptop] = [await world.visitor(), await world.visitor()];
    for (const who of [phone, laptop]) await world.stores.prospects.identify({ site: "acme", subject: "anna", ...who });
    await world.pass(40 * DAY);
    await world.stores.presence.heartbeat([phone.device], 45);
    expect(await purge()).toEqual({ ...nothing, devices: 1 });
    expect(await left()).toEqual({ prospects: 2, devices: 1 });
    // Who comes back with the token from before is the same person.
    const [known] = await meet(world.database.pool, [laptop]);
    expect(known).toBe(phone.prospect);
    await world.pass(40 * DAY);
    await purge();
    await purge();
    expect(await left()).toEqual({ prospects: 0, devices: 0 });
    expect(await count("person")).toBe(0);
  });

  it("who comes back after being purged is stored anew under the same ids, and gets a number", async () => {
    await world.apply(aDesiredPool());
    const who = await world.visitor();
    await world.claim(aRequest(who.prospect, who));
    await world.pass(40 * DAY);
    expect(await purge()).toEqual({ associations: 1, calls: 0, numbers: 1, devices: 1, prospects: 1 });
    expect(await meet(world.database.pool, [who])).toEqual([who.prospect]);
    expect(await world.assigned(aRequest(who.prospect, who))).toMatchObject({ renewed: false });
    await world.stores.presence.heartbeat([who.device], 45);
    expect(await world.online(who.prospect)).toEqual([who.device]);
  });

  it("is one of more than a statement's worth", async () => {
    await world.rows("insert into prospect (id) select gen_random_uuid() from generate_series(1, 4500)");
    await world.rows("insert into device (id, prospect_id) select gen_random_uuid(), id from prospect");
    const young = await world.visitor();
    await world.rows("update prospect set created_at = now() - interval '40 days' where id <> $1", [young.prospect]);
    await world.rows("update device set created_at = now() - interval '40 days' where id <> $1", [young.device]);
    expect(await purge()).toEqual({ ...nothing, devices: 4500, prospects: 4500 });
    expect(await left()).toEqual({ prospects: 1, devices: 1 });
  });

  it("is left alone by a second process while one is purging", async () => {
    await world.visitor();
    await world.pass(40 * DAY);
    const other = await world.database.pool.connect();
    try {
      await other.query("begin");
      await other.query("select pg_advisory_xact_lock(724601341)");
      expect(await purge()).toEqual(nothing);
      await other.query("rollback");
    } finally {
      other.release();
    }
    expect(await purge()).toEqual({ ...nothing, devices: 1, prospects: 1 });
  });
});
