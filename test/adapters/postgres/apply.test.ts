import { randomUUID } from "node:crypto";

import { describe, expect, test } from "vitest";

import { readPoolOf } from "../../../src/adapters/postgres/explain-number.ts";
import { readAssociations } from "../../../src/adapters/postgres/read-associations.ts";
import { aRule, aTrunk } from "../../domain/builders.ts";
import { aCall, aDesiredPool, aRequest, desired, did, didsOf, eachWithWorld, overflowAt, SALES } from "./world.ts";

const world = eachWithWorld();

const totals = () => world.stores.operator.totals();
const numbersOf = async (uid: string) =>
  (await world.rows<{ did: string }>("select did from number where pool_uid = $1::text and in_service order by did", [uid])).map((row) => `+${row.did}`);

describe("a reconcile", () => {
  test("of unchanged input writes nothing and keeps the revision", async () => {
    const state = desired({
      pools: [aDesiredPool({ labels: { b: "2", a: "1" }, ...overflowAt(3) }), aDesiredPool({ key: "shop/help", owned: [[20, 29], [40, 40]] })],
      rules: [aRule({}, { pools: ["shop/sales", "shop/help"] }), aRule({}, { key: "default/other" })],
      trunks: [aTrunk()],
    });
    expect(await world.stores.operator.apply(state)).toMatchObject({ revision: 1, changed: true });
    const written = () => world.rows(`select 'pool' as t, xmin::text, uid from pool union all select 'rule', xmin::text, uid from rule union all select 'trunk', xmin::text, uid from trunk
      union all select 'number', xmin::text, did::text from number union all select 'dialplan', xmin::text, hash from dialplan union all select 'revision', xmin::text, value::text from revision order by 1, 3`);
    const before = await written();
    const reordered = { ...state, pools: [...state.pools].reverse(), rules: state.rules.map((rule) => ({ ...rule, pools: [...rule.pools].reverse() })) };
    expect(await world.stores.operator.apply(reordered)).toMatchObject({ revision: 1, changed: false });
    expect(await written()).toEqual(before);
  });

  test.each([
    ["a pool's specification", { pools: [aDesiredPool({ leaseSeconds: 60 })] }],
    ["a pool's labels", { pools: [aDesiredPool({ labels: { team: "a" } })] }],
    ["a pool's numbers", { pools: [aDesiredPool({ owned: [[0, 8]] })] }],
    ["the pools", { pools: [] }],
    ["a rule", { rules: [aRule({ priority: 7 })] }],
    ["where a rule is attached", { rules: [aRule({}, { pools: [] })] }],
    ["the rules", { rules: [] }],
    ["a trunk", { trunks: [aTrunk({ port: 5070 })] }],
    ["the trunks", { trunks: [] }],
    ["the dialplan", { dialplan: () => ({ hash: "other", marker: "m", content: "c" }) }],
  ])("that changes %s makes a revision, once", async (_, change) => {
    const before = desired({ pools: [aDesiredPool()], rules: [aRule()], trunks: [aTrunk()] });
    await world.stores.operator.apply(before);
    expect(await world.stores.operator.apply({ ...before, ...change })).toMatchObject({ revision: 2, changed: true });
    expect(await world.stores.operator.apply({ ...before, ...change })).toMatchObject({ revision: 2, changed: false });
    expect(await world.stores.router.revision()).toMatchObject({ revision: 2 });
  });

  test("by ten processes at the same time makes one revision", async () => {
    const results = await Promise.all(Array.from({ length: 10 }, () => world.apply(aDesiredPool())));
    expect(results.filter(({ changed }) => changed)).toHaveLength(1);
    expect(new Set(results.map(({ revision }) => revision))).toEqual(new Set([1]));
  });

  test("that fails leaves everything as it was", async () => {
    await world.apply(aDesiredPool());
    const broken = aDesiredPool({ key: "shop/help", owned: [[20, 29]] });
    const state = desired({ pools: [aDesiredPool({ owned: [] }), { ...broken, createdAt: new Date(Number.NaN) }] });
    await expect(world.stores.operator.apply(state)).rejects.toThrow();
    expect(await world.stores.router.revision()).toMatchObject({ revision: 1 });
    expect(await totals()).toMatchObject({ [SALES]: { total: 10 } });
  });
});

describe("numbers", () => {
  test("are added and removed, and nothing else is written", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 9], [20, 29]] }));
    const versions = () => world.rows<{ did: string; version: string }>("select did, xmin::text as version from number where did not in ($1::bigint, $2::bigint, $3::bigint) order by did", [did(5), did(25), did(30)].map((number) => number.slice(1)));
    const before = await versions();
    await world.apply(aDesiredPool({ owned: [[0, 4], [6, 9], [20, 24], [26, 30]] }));
    expect(await versions()).toEqual(before);
    const present = await numbersOf("uid of shop/sales");
    expect(present).toHaveLength(19);
    expect(present).toContain(did(30));
    expect(present).not.toContain(did(5));
    expect(await totals()).toMatchObject({ [SALES]: { total: 19, available: 19, retiring: 0 } });
  });

  test("that leave while leased retire, are counted so, and are available again when they come back after that", async () => {
    await world.apply(aDesiredPool());
    await world.claim(aRequest(randomUUID()), aRequest(randomUUID()));
    await world.apply(aDesiredPool({ owned: [[1, 9]] }));
    expect(await totals()).toEqual({ [SALES]: { total: 9, leased: 1, coolingDown: 0, available: 8, retiring: 1 } });
    await world.pass(2000);
    expect(await totals()).toEqual({ [SALES]: { total: 9, leased: 0, coolingDown: 1, available: 8, retiring: 0 } });
    await world.pass(2000);
    await world.apply(aDesiredPool());
    expect(await totals()).toEqual({ [SALES]: { total: 10, leased: 0, coolingDown: 0, available: 10, retiring: 0 } });
  });

  test("that leave while leased are in the dialplan until the lease ends, and only then a new one is made", async () => {
    const rendered: unknown[] = [];
    const state = (owned: readonly (readonly [number, number])[]) =>
      desired({
        pools: [aDesiredPool({ owned })],
        dialplan: (retiring) => {
          rendered.push(retiring);
          return { hash: JSON.stringify(retiring), marker: "m", content: "c" };
        },
      });
    expect(await world.stores.operator.apply(state([[0, 9]]))).toMatchObject({ retiresInSeconds: null });
    await world.claim(aRequest(randomUUID()), aRequest(randomUUID()), aRequest(randomUUID()));
    const reduced = state([[2, 9]]);
    const applied = await world.stores.operator.apply(reduced);
    expect(rendered.at(-1)).toEqual([{ uid: "uid of shop/sales", ranges: [{ from: did(0), to: did(1) }] }]);
    expect(applied).toMatchObject({ revision: 2, changed: true });
    expect(applied.retiresInSeconds).toBeGreaterThan(1_700);
    expect(applied.retiresInSeconds).toBeLessThanOrEqual(1_800);
    expect(await readPoolOf(world.database.pool, did(0))).toBe(SALES);
    const known = { ...applied, desired: reduced };
    expect(await world.stores.operator.apply(reduced, known)).toMatchObject({ revision: 2, changed: false });
    await world.pass(1_801);
    expect(await world.stores.operator.apply(reduced, known)).toMatchObject({ revision: 3, changed: true, retiresInSeconds: null, dialplan: "[]" });
    expect(await readPoolOf(world.database.pool, did(0))).toBe(null);
  });

  test("of a pool that is removed are in no dialplan, whatever was promised", async () => {
    await world.apply(aDesiredPool());
    await world.claim(aRequest(randomUUID()));
    expect(await world.apply()).toMatchObject({ changed: true, retiresInSeconds: null });
    expect(await readPoolOf(world.database.pool, did(0))).toBe(null);
  });

  test("that come to an overflow number's place become lendable, and the overflow number is not", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 1]], ...overflowAt(1) }));
    expect(await numbersOf("uid of shop/sales")).toEqual([did(0)]);
    await world.apply(aDesiredPool({ owned: [[0, 1]], ...overflowAt(0) }));
    expect(await numbersOf("uid of shop/sales")).toEqual([did(1)]);
    await world.apply(aDesiredPool({ owned: [[0, 1]] }));
    expect(await numbersOf("uid of shop/sales")).toEqual([did(0), did(1)]);
  });

  test("that move to another pool keep promise, holder and cool-down", async () => {
    const [ann, bob] = [randomUUID(), randomUUID()];
    await world.apply(aDesiredPool({ owned: [[0, 1]] }), aDesiredPool({ key: "shop/help", owned: [] }));
    const bobs = randomUUID();
    const [hers] = await world.claim(aRequest(ann), aRequest(bob, { device: bobs }));
    await world.stores.claims.release([SALES], { device: bobs, isOnlyPage: true });
    await world.apply(aDesiredPool({ owned: [] }), aDesiredPool({ key: "shop/help", owned: [[0, 1]] }));
    expect(didsOf(await world.claim(aRequest(randomUUID(), { pool: "shop/help" })))).toEqual([null]);
    expect(await world.assigned(aRequest(ann, { pool: "shop/help" }))).toMatchObject({ did: didsOf([hers!])[0], renewed: true });
    expect(await world.assigned(aRequest(bob, { pool: "shop/help" }))).toMatchObject({ did: did(1), renewed: true });
    expect(await totals()).toMatchObject({ [SALES]: { total: 0 }, "shop/help": { total: 2, leased: 2 } });
  });

  test("that two pools swap arrive in one step", async () => {
    await world.apply(aDesiredPool({ owned: [[0, 4]] }), aDesiredPool({ key: "shop/help", owned: [[5, 9]] }));
    await world.apply(aDesiredPool({ owned: [[5, 9]] }), aDesiredPool({ key: "shop/help", owned: [[0, 4]] }));
    expect((await numbersOf("uid of shop/sales"))[0]).toBe(did(5));
    expect((await numbersOf("uid of shop/help"))[0]).toBe(did(0));
  });

  test("a live lease that moves in wins over one that ended there long ago", async () => {
    const ann = randomUUID();
    await world.apply(aDesiredPool({ owned: [[0, 0]] }), aDesiredPool({ key: "shop/help", owned: [[1, 1]] }));
    await world.claim(aRequest(ann));
    await world.pass(50_000);
    await world.claim(aRequest(ann, { pool: "shop/help" }));
    await world.apply(aDesiredPool({ owned: [[0, 1]] }));
    expect(await world.assigned(aRequest(ann))).toMatchObject({ did: did(1), renewed: true });
  });
});

describe("a pool that is deleted", () => {
  const other = aDesiredPool({ key: "shop/help", owned: [[20, 20]] });

  async function used(reclaimPolicy: "Retain" | "Delete") {
    const pool = aDesiredPool({ owned: [[0, 1]], reclaimPolicy, createdAt: new Date(Date.now() - 60_000) });
    await world.apply(pool, other);
    const [ann, bob] = [randomUUID(), randomUUID()];
    await world.claim(aRequest(ann), aRequest(bob, { pool: "shop/help" }));
    const ended = { endedAt: new Date(), end: "completed" as const };
    await world.stores.router.saveCall(aCall({ id: "its own", ...ended }));
    await world.stores.router.saveCall(aCall({ id: "in progress" }));
    await world.stores.router.saveCall(aCall({ id: "an earlier pool's", receivedAt: new Date(Date.now() - 120_000), ...ended }));
    await world.stores.router.saveCall(aCall({ id: "another's", pool: "shop/help", did: did(20), ...ended }));
    return { pool, ann, bob };
  }
  const calls = async () => (await world.rows<{ id: string }>("select id from call order by id")).map(({ id }) => id);

  test("and retains keeps its history and gives no number any more", async () => {
    await used("Retain");
    await world.apply(other);
    expect(await world.claim(aRequest(randomUUID()))).toMatchObject([{ status: "unchanged", reason: "UnknownPool" }]);
    expect(await readAssociations(world.database.pool, did(0), 10)).toHaveLength(1);
    expect(await calls()).toHaveLength(4);
    expect((await world.stores.router.snapshot()).pools.map(({ key }) => key)).toEqual(["shop/help"]);
  });

  test("and deletes takes its own history along, keeps the promise and touches nobody else's", async () => {
    const { bob } = await used("Delete");
    await world.apply(other);
    await world.cleanUp();
    expect(await readAssociations(world.database.pool, did(0), 10)).toEqual([]);
    expect(await calls()).toEqual(["an earlier pool's", "another's", "in progress"]);
    expect(await world.rows("select did from number where pool_uid = $1::text", ["uid of shop/sales"])).toHaveLength(1);
    await world.apply(other, aDesiredPool({ key: "shop/new", owned: [[0, 0]] }));
    expect(didsOf(await world.claim(aRequest(randomUUID(), { pool: "shop/new" })))).toEqual([null]);
    expect(await readAssociations(world.database.pool, did(20), 10)).toHaveLength(1);
    expect(await world.assigned(aRequest(bob, { pool: "shop/help" }))).toMatchObject({ did: did(20), renewed: true });
  });

  test("and deletes leaves no number behind when its last promise and cool-down are over", async () => {
    await used("Delete");
    await world.apply(other);
    await world.pass(2701);
    await world.cleanUp();
    expect(await world.rows("select from number where pool_uid = $1::text", ["uid of shop/sales"])).toEqual([]);
  });

  test("and comes back under the same uid has all its numbers and its prospects theirs", async () => {
    const { pool, ann } = await used("Retain");
    await world.apply(other);
    await world.apply(pool, other);
    expect(await world.assigned(aRequest(ann))).toMatchObject({ did: did(0), renewed: true });
    expect(await totals()).toMatchObject({ [SALES]: { total: 2 } });
  });

  test("after another pool took its numbers leaves them to that pool", async () => {
    await world.apply(aDesiredPool({ reclaimPolicy: "Delete" }));
    await world.apply(aDesiredPool({ owned: [], reclaimPolicy: "Delete" }), aDesiredPool({ key: "shop/heir" }));
    await world.apply(aDesiredPool({ key: "shop/heir" }));
    expect(await totals()).toMatchObject({ "shop/heir": { total: 10, available: 10 } });
  });

  test("and made anew under its name has a new uid, the same numbers and keeps their promises", async () => {
    const ann = randomUUID();
    await world.apply(aDesiredPool({ uid: "first" }));
    await world.assigned(aRequest(ann));
    await world.apply(aDesiredPool({ uid: "second" }));
    expect(await world.assigned(aRequest(ann))).toMatchObject({ did: did(0), renewed: true });
    expect(await numbersOf("second")).toHaveLength(10);
    expect(await numbersOf("first")).toEqual([]);
    expect((await world.stores.router.snapshot()).pools.map(({ uid }) => uid)).toEqual(["second"]);
  });
});

test("a pool of a million numbers is applied, reduced and removed", { timeout: 180_000 }, async () => {
  const seconds = async (work: Promise<unknown>) => {
    const from = performance.now();
    await work;
    return ((performance.now() - from) / 1000).toFixed(1);
  };
  const added = await seconds(world.apply(aDesiredPool({ owned: [[0, 999_999]] })));
  expect(await totals()).toMatchObject({ [SALES]: { total: 1_000_000 } });
  const unchanged = await seconds(world.apply(aDesiredPool({ owned: [[0, 999_999]] })));
  expect((await world.assigned(aRequest(randomUUID()))).did).toBe(did(0));
  const reduced = await seconds(world.apply(aDesiredPool({ owned: [[0, 999_998]] })));
  expect(await totals()).toMatchObject({ [SALES]: { total: 999_999 } });
  const removed = await seconds(world.apply());
  expect(await totals()).toEqual({});
  process.stdout.write(`1,000,000 numbers: added in ${added} s, unchanged ${unchanged} s, one removed ${reduced} s, all removed ${removed} s\n`);
});
