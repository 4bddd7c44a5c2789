import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { applyDesired } from "../../../src/adapters/postgres/apply.ts";
import { aCall, aDesiredPool, aRequest, desired, did, eachWithWorld, SALES } from "./world.ts";

const world = eachWithWorld();
const other = aDesiredPool({ key: "shop/help", owned: [[20, 20]] });
const old = () => aDesiredPool({ reclaimPolicy: "Delete", owned: [[0, 1]], createdAt: new Date(Date.now() - 60_000) });
const ended = () => ({ endedAt: new Date(), end: "completed" }) as const;
const calls = async () => (await world.rows<{ id: string }>("select id from call order by id")).map(({ id }) => id);
const associations = async () => (await world.rows<{ n: number }>("select count(*)::int as n from association where pool_uid = $1::text", ["uid of shop/sales"]))[0]?.n;
const lookedThrough = () => world.rows("select looked_through from pool_remains");
/** Associations like those that there are, of other devices. */
const copies = (how: string) =>
  `insert into association (did, pool_uid, prospect_id, device_id, media_element, attributes, leased_from, other_devices_online, determined_at, shown_at)
   select did, pool_uid, prospect_id, gen_random_uuid(), media_element, attributes, leased_from, other_devices_online, determined_at, shown_at
   from association, generate_series(1, ${how})`;

test("a call in progress when its pool is deleted goes when it has ended, and so does one whose record comes later", async () => {
  await world.apply(old(), other);
  await world.stores.router.saveCall(aCall({ id: "in progress" }));
  const spooled = aCall({ id: "spooled", ...ended() });
  await world.apply(other);
  await world.cleanUp();
  expect(await calls()).toEqual(["in progress"]);
  await world.stores.router.saveCall(aCall({ id: "in progress", ...ended() }));
  await world.stores.router.saveCall(spooled);
  await world.stores.router.saveCall(aCall({ id: "another's", pool: "shop/help", did: did(20), ...ended() }));
  await world.cleanUp();
  expect(await calls()).toEqual(["another's"]);
});

test("calls of a pool that was made anew under the name of a deleted one are its own", async () => {
  await world.apply(old());
  await world.stores.router.saveCall(aCall({ id: "in progress" }));
  await world.apply();
  const heir = aDesiredPool({ uid: "heir", createdAt: new Date() });
  await world.apply(heir);
  await world.stores.router.saveCall(aCall({ id: "in progress", ...ended() }));
  await world.stores.router.saveCall(aCall({ id: "the heir's", ...ended() }));
  await world.cleanUp();
  expect(await calls()).toEqual(["the heir's"]);
});

test("numbers know nobody any more when promise and cool-down are over, without a change", async () => {
  await world.apply(old(), other);
  await world.claim(aRequest(randomUUID()));
  await world.apply(other);
  await world.cleanUp();
  const numbers = () => world.rows("select did::int8 from number where pool_uid = $1::text", ["uid of shop/sales"]);
  expect(await numbers()).toHaveLength(1);
  await world.pass(2701);
  await world.cleanUp();
  expect(await numbers()).toEqual([]);
});

test("a long history goes in small pieces, and not in the transaction of the reconcile", async () => {
  await world.apply(old(), other);
  await world.claim(aRequest(randomUUID()));
  await world.rows(copies("4500"));
  await world.claim(aRequest(randomUUID(), { pool: "shop/help" }));
  await world.apply(other);
  expect(await associations()).toBe(4_501);
  const controller = new AbortController();
  controller.abort();
  await expect(world.stores.operator.cleanUp(controller.signal)).rejects.toThrow(/aborted/);
  await world.cleanUp();
  expect(await associations()).toBe(0);
  expect(await world.rows("select from association")).toHaveLength(1);
});

test("what a claim wrote that was under way when the pool left goes too; after that nobody looks through the history again", async () => {
  await world.apply(old(), other);
  await world.claim(aRequest(randomUUID()));
  const claiming = await world.database.pool.connect();
  await claiming.query("begin");
  await claiming.query(copies("1"));
  await world.apply(other);
  await world.cleanUp();
  await claiming.query("commit");
  claiming.release();
  expect(await associations()).toBe(1);
  expect(await lookedThrough()).toEqual([{ looked_through: false }]);
  await world.rows("update pool_remains set noted_at = noted_at - interval '61 seconds'");
  await world.cleanUp();
  expect(await associations()).toBe(0);
  expect(await lookedThrough()).toEqual([{ looked_through: true }]);
});

test("a pool that is out of service only, that comes back or is to be retained after all keeps what is left", async () => {
  await world.apply(old(), other);
  await world.claim(aRequest(randomUUID()));
  const { uid } = old();
  await world.apply(other);
  await world.apply(old(), other);
  await world.cleanUp();
  expect(await associations()).toBe(1);
  await applyDesired(world.database.pool, { ...desired({ pools: [other] }), suspended: [uid] });
  await world.cleanUp();
  expect(await associations()).toBe(1);
  await applyDesired(world.database.pool, { ...desired({ pools: [other] }), leaving: [{ uid, reclaimPolicy: "Delete" }] });
  await applyDesired(world.database.pool, { ...desired({ pools: [other] }), leaving: [{ uid, reclaimPolicy: "Retain" }] });
  await world.cleanUp();
  expect(await associations()).toBe(1);
  await applyDesired(world.database.pool, { ...desired({ pools: [other] }), leaving: [{ uid, reclaimPolicy: "Delete" }] });
  await world.cleanUp();
  expect(await associations()).toBe(0);
});

test("a lease that another pool took over with the number stays, as that pool's, and whoever had it can be erased", async () => {
  const ann = await world.visitor();
  const bob = await world.visitor();
  await world.apply(old(), other);
  await world.claim(aRequest(ann.prospect, ann));
  await world.claim(aRequest(bob.prospect, bob));
  await world.apply(aDesiredPool({ key: "shop/help", owned: [[0, 0], [20, 20]] }));
  await world.cleanUp();
  expect(await world.rows("select pool_uid, prospect_id from association")).toEqual([{ pool_uid: "uid of shop/help", prospect_id: ann.prospect }]);
  await world.pass(2701);
  await world.claim(...Array.from({ length: 2 }, () => aRequest(randomUUID(), { pool: "shop/help" })));
  await world.stores.prospects.erase(ann.prospect);
  expect(await world.rows("select from number where $1::uuid in (prospect_id, previous_prospect_id)", [ann.prospect])).toEqual([]);
});

test("no number knows whom it was lent to before when nothing tells of that any more", async () => {
  const ann = await world.visitor();
  await world.apply(aDesiredPool({ reclaimPolicy: "Delete", owned: [[0, 0]] }), other);
  await world.claim(aRequest(ann.prospect, ann));
  await world.pass(2701);
  await world.claim(aRequest(randomUUID()));
  await world.apply(aDesiredPool({ key: "shop/help", owned: [[0, 0]] }));
  expect(await world.rows("select previous_prospect_id from number where did = 12020000000")).toEqual([{ previous_prospect_id: ann.prospect }]);
  await world.cleanUp();
  expect(await world.rows("select previous_prospect_id from number where did = 12020000000")).toEqual([{ previous_prospect_id: null }]);
  expect(await world.rows("select from number where pool_uid = $1::text", [`uid of ${SALES}`])).toEqual([]);
});
