import { describe, expect, test } from "vitest";

import { assertTerm, beginTerm, readTerm } from "../../../src/adapters/postgres/leadership.ts";
import { operatorStore } from "../../../src/adapters/postgres/stores.ts";
import type { Term } from "../../../src/domain/ports.ts";
import { silent } from "../../harness/logger.ts";
import { aDesiredPool, desired, eachWithWorld } from "./world.ts";

const world = eachWithWorld();

const EARLY = { holder: "a", number: 4 };
const LATE = { holder: "b", number: 5 };
const storeOf = (term?: Term) => operatorStore({ pool: world.database.pool, url: world.database.url, logger: silent }, term);
const STALE = { code: "StaleRevision" };

describe("a term", () => {
  test("that is over writes nothing, and says who leads", async () => {
    await beginTerm(world.database.pool, EARLY);
    await storeOf(EARLY).apply(desired({ pools: [aDesiredPool()] }));
    await beginTerm(world.database.pool, LATE);
    const stale = storeOf(EARLY).apply(desired({ pools: [] }));
    await expect(stale).rejects.toMatchObject({ ...STALE, message: "term 4 of a is over: b with term 5 leads" });
    await expect(assertTerm(world.database.pool, EARLY)).rejects.toMatchObject(STALE);
    expect(await storeOf(LATE).apply(desired({ pools: [aDesiredPool()] }))).toMatchObject({ revision: 1, changed: false });
  });

  test("begins only when it is later than all before; one and the same may be announced twice", async () => {
    expect(await readTerm(world.database.pool)).toBeNull();
    await beginTerm(world.database.pool, LATE);
    await beginTerm(world.database.pool, LATE);
    for (const term of [EARLY, { holder: "c", number: 5 }]) await expect(beginTerm(world.database.pool, term)).rejects.toMatchObject(STALE);
    expect(await readTerm(world.database.pool)).toBe(5);
  });

  test("of twenty that begin at the same moment, the latest stays", async () => {
    const terms = Array.from({ length: 20 }, (_, n) => ({ holder: `h${n}`, number: n }));
    await Promise.allSettled(terms.map((term) => beginTerm(world.database.pool, term)));
    expect(await readTerm(world.database.pool)).toBe(19);
    await assertTerm(world.database.pool, { holder: "h19", number: 19 });
  });
});

describe("a reconcile that knows what it wrote last", () => {
  test("sends only what changed, and is not misled when somebody else wrote meanwhile", async () => {
    const store = storeOf();
    const [a, b] = [aDesiredPool(), aDesiredPool({ key: "shop/help", owned: [[20, 29]] })];
    const first = desired({ pools: [a, b] });
    const { revision, mark } = await store.apply(first);
    const known = { revision, mark, desired: first, dialplan: "hash" };
    // Not sent: an entry that is the same object counts as unchanged.
    await world.rows("update pool set labels = '{\"changed\": \"by hand\"}' where key = 'shop/help'");
    const second = desired({ pools: [aDesiredPool({ leaseSeconds: 77 }), b] });
    expect(await store.apply(second, known)).toMatchObject({ revision: 2, changed: true });
    expect(await world.rows("select labels from pool where key = 'shop/help'")).toEqual([{ labels: { changed: "by hand" } }]);
    // The revision moved on: everything is compared again.
    const third = await store.apply(second, known);
    expect(third).toMatchObject({ revision: 3, changed: true, continues: true });
    expect(await world.rows("select labels from pool where key = 'shop/help'")).toEqual([{ labels: {} }]);
    expect(await store.apply(desired({ pools: [second.pools[0]!] }), { revision: 3, mark: third.mark, desired: second, dialplan: "hash" })).toMatchObject({ revision: 4, changed: true });
    expect(await world.rows("select key from pool where removed_at is null")).toEqual([{ key: "shop/sales" }]);
  });

  test("keeps the history of a pool that is out of service, whatever its reclaimPolicy, and its numbers come back", async () => {
    const store = storeOf();
    const pool = aDesiredPool({ reclaimPolicy: "Delete" });
    await store.apply(desired({ pools: [pool] }));
    await world.rows(
      `insert into association (did, pool_uid, prospect_id, device_id, media_element, attributes, leased_from, other_devices_online, determined_at, shown_at)
       select did, pool_uid, gen_random_uuid(), gen_random_uuid(), 'x', '{}', now(), '{}', now(), now() from number limit 1`,
    );
    const numbers = () => world.rows("select count(*)::int as total, count(*) filter (where in_service)::int as serving from number");
    await store.apply({ ...desired({ pools: [] }), suspended: [pool.uid] });
    await world.cleanUp();
    expect(await numbers()).toEqual([{ total: 10, serving: 0 }]);
    await store.apply(desired({ pools: [pool] }));
    expect(await numbers()).toEqual([{ total: 10, serving: 10 }]);
    expect(await world.rows("select from association")).toHaveLength(1);
    await store.apply({ ...desired({ pools: [] }), leaving: [{ uid: pool.uid, reclaimPolicy: "Retain" }] });
    await world.cleanUp();
    expect(await world.rows("select from association")).toHaveLength(1);
    await store.apply({ ...desired({ pools: [] }), leaving: [{ uid: pool.uid, reclaimPolicy: "Delete" }] });
    await world.cleanUp();
    expect(await world.rows("select from association")).toHaveLength(0);
  });
});
