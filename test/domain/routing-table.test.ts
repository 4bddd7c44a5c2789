import fc from "fast-check";
import { expect, test } from "vitest";

import type { PoolEntry, RuleEntry, Snapshot, SnapshotChanges, TrunkEntry } from "../../src/domain/ports.ts";
import { RoutingIndex, type RoutingTable } from "../../src/domain/routing-table.ts";
import { rulesOf } from "../../src/domain/routing-rules.ts";
import { aPool, aRule, aTrunk, tableOf } from "./builders.ts";

const KEYS = ["default/a", "default/b", "default/c"];
const UIDS = ["1", "2", "3", "4"];

/** An object of one of few names, so that names are taken over and objects come back. */
const entry = fc.record({ uid: fc.constantFrom(...UIDS), key: fc.constantFrom(...KEYS), priority: fc.integer({ min: 0, max: 3 }), pools: fc.subarray(KEYS) });
const world = fc.record({
  pools: fc.uniqueArray(entry, { selector: ({ uid }) => uid }).map(distinctKeys),
  rules: fc.uniqueArray(entry, { selector: ({ uid }) => uid }).map(distinctKeys),
  trunks: fc.uniqueArray(entry, { selector: ({ uid }) => uid }).map(distinctKeys),
});
type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

/** No two objects of one kind have one name at the same time. */
function distinctKeys<T extends { readonly key: string }>(entries: readonly T[]): readonly T[] {
  return entries.filter((one, index) => entries.findIndex(({ key }) => key === one.key) === index);
}

function snapshotOf({ pools, rules, trunks }: World, revision: number): Snapshot {
  return {
    revision,
    mark: `mark of ${revision}`,
    pools: pools.map(({ uid, key }) => aPool({}, { uid, key })),
    rules: rules.map(({ uid, key, priority, pools: attached }) => aRule({ priority }, { uid, key, pools: attached })),
    trunks: trunks.map(({ uid, key }) => ({ ...aTrunk(), uid, key })),
  };
}

/** As the database tells it; `noise` are unchanged objects told nevertheless. */
function changesBetween(before: Snapshot, after: Snapshot, noise: boolean): SnapshotChanges {
  const gone = (kind: "pools" | "rules" | "trunks") => (before[kind] as readonly { uid: string }[]).map(({ uid }) => uid).filter((uid) => noise || !(after[kind] as readonly { uid: string }[]).some((one) => one.uid === uid));
  const isNew = <T extends PoolEntry | RuleEntry | TrunkEntry>(entries: readonly T[], olds: readonly T[]) => entries.filter((one) => noise || !olds.some((old) => JSON.stringify(old) === JSON.stringify(one)));
  return {
    revision: after.revision,
    mark: after.mark,
    pools: isNew(after.pools, before.pools),
    rules: isNew(after.rules, before.rules),
    trunks: isNew(after.trunks, before.trunks),
    gone: { pools: gone("pools"), rules: gone("rules"), trunks: gone("trunks") },
  };
}

function plain(table: RoutingTable): unknown {
  const sorted = (map: ReadonlyMap<string, unknown>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  return { revision: table.revision, mark: table.mark, pools: sorted(table.pools), rules: sorted(table.rules), trunks: sorted(table.trunks) };
}

test("a table that was kept up to date is the one that a new snapshot would give", () => {
  fc.assert(
    fc.property(fc.array(world, { minLength: 2, maxLength: 5 }), fc.boolean(), (worlds, noise) => {
      const snapshots = worlds.map(snapshotOf);
      const index = new RoutingIndex(snapshots[0]!);
      for (const [n, after] of snapshots.entries()) if (n > 0) index.apply(changesBetween(snapshots[n - 1]!, after, noise));
      expect(plain(index.table)).toEqual(plain(tableOf(snapshots.at(-1)!)));
    }),
    { numRuns: 2_000 },
  );
});

test("a table that a call holds stays as it is", () => {
  const [pool, rule] = [aPool(), aRule()];
  const index = new RoutingIndex({ revision: 1, mark: "a", pools: [pool], rules: [rule], trunks: [aTrunk()] });
  const held = index.table;
  index.apply({ revision: 2, mark: "b", pools: [], rules: [], trunks: [], gone: { pools: [pool.uid], rules: [rule.uid], trunks: [] } });
  expect(rulesOf(held, pool.key)).toEqual([rule]);
  expect(held.pools.get(pool.key)).toBe(pool);
  expect(index.table.pools.size).toBe(0);
});
