import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PoolEntry } from "../../src/domain/ports.ts";
import { conflictMessage, numbersOf, resolveOwnership } from "../../src/domain/ownership.ts";
import { contains, count, toE164Ranges } from "../../src/domain/ranges.ts";
import { aPool, anAssignment } from "./builders.ts";

const old = aPool({ ranges: [{ from: "+12025550100", to: "+12025550109" }] }, { key: "default/old", createdAt: "2026-01-01T00:00:00Z" });
const young = aPool({ ranges: [{ from: "+12025550105", to: "+12025550119" }] }, { key: "default/young", createdAt: "2026-01-02T00:00:00Z" });
const ownedBy = (pools: readonly PoolEntry[], key: string) => toE164Ranges(resolveOwnership(pools).get(key)?.owned ?? []);

describe("a number in two pools", () => {
  test("belongs to the older pool, in whatever order they are given", () => {
    for (const pools of [[old, young], [young, old]]) {
      expect(ownedBy(pools, "default/old")).toEqual([{ from: "+12025550100", to: "+12025550109" }]);
      expect(ownedBy(pools, "default/young")).toEqual([{ from: "+12025550110", to: "+12025550119" }]);
    }
  });

  test("the younger pool is told which numbers, who holds them, and how many stay in service", () => {
    const ownership = resolveOwnership([old, young]);
    expect(conflictMessage(ownership.get("default/young")!)).toBe(
      "+12025550105 to +12025550109 belong to the older pool default/old; 10 of 15 numbers stay in service",
    );
    expect(conflictMessage(ownership.get("default/old")!)).toBeNull();
  });

  test("comes back when the holder goes: nothing is remembered", () => {
    expect(ownedBy([young], "default/young")).toEqual([{ from: "+12025550105", to: "+12025550119" }]);
  });

  test("of equal age belongs to the first by namespace and name", () => {
    const twin = aPool(old.spec, { key: "default/a-twin", createdAt: old.createdAt });
    expect(resolveOwnership([old, twin]).get("default/old")!.conflicts[0]?.holder).toBe("default/a-twin");
  });

  test("of three pools belongs to the oldest, and both others name it", () => {
    const numbers = ["+12025550100"];
    const pools = ["2026-03-01", "2026-01-01", "2026-02-01"].map((day, i) => aPool({ numbers }, { key: `ns/p${i}`, createdAt: `${day}T00:00:00Z` }));
    const ownership = resolveOwnership(pools);
    expect([0, 1, 2].map((i) => ownership.get(`ns/p${i}`)!.conflicts.map((conflict) => conflict.holder))).toEqual([["ns/p1"], [], ["ns/p1"]]);
  });

  test("of one length is never told in one range with numbers of another", () => {
    const numbers = ["+9999999", "+10000000"];
    const pools = ["ns/a", "ns/b"].map((key) => aPool({ numbers }, { key }));
    expect(resolveOwnership(pools).get("ns/b")!.conflicts.map(({ range }) => range)).toEqual([
      { first: 9_999_999, last: 9_999_999 },
      { first: 10_000_000, last: 10_000_000 },
    ]);
  });

  test.each([
    [3, ""],
    [4, "; 1 more conflicts"],
  ])("of %d conflicts three are spelled out", (conflicts, more) => {
    const holders = Array.from({ length: conflicts }, (_, i) => aPool({ numbers: [`+1202555010${i}`] }, { key: `ns/h${i}` }));
    const loser = aPool({}, { key: "ns/loser", createdAt: "2026-06-01T00:00:00Z" });
    expect(conflictMessage(resolveOwnership([...holders, loser]).get("ns/loser")!)).toContain(`+12025550102 belongs to the older pool ns/h2${more}; ${10 - conflicts} of 10`);
  });

  test("many conflicts are summed up", () => {
    const holders = Array.from({ length: 5 }, (_, i) => aPool({ numbers: [`+1202555010${i}`] }, { key: `ns/h${i}` }));
    const loser = aPool({}, { key: "ns/loser", createdAt: "2026-06-01T00:00:00Z" });
    expect(conflictMessage(resolveOwnership([...holders, loser]).get("ns/loser")!)).toBe(
      "+12025550100 belongs to the older pool ns/h0; +12025550101 belongs to the older pool ns/h1; " +
        "+12025550102 belongs to the older pool ns/h2; 2 more conflicts; 5 of 10 numbers stay in service",
    );
  });
});

test("a pool whose numbers can't be read owns nothing and disturbs no other", () => {
  const broken = aPool({ ranges: [{ from: "+12025550109", to: "+12025550100" }] }, { key: "default/broken", createdAt: "2025-01-01T00:00:00Z" });
  expect(() => numbersOf(broken.spec)).toThrow("spec.ranges[0].to: must not be below `from`");
  expect(ownedBy([broken, old], "default/broken")).toEqual([]);
  expect(ownedBy([broken, old], "default/old")).toEqual([{ from: "+12025550100", to: "+12025550109" }]);
});

describe("the overflow number", () => {
  const assignment = anAssignment({ onExhausted: { type: "Overflow", overflow: { number: "+12025550105" } } });

  test("belongs to the pool and is not leased, listed or not", () => {
    const listed = resolveOwnership([aPool({ assignment })]).get("default/sales")!;
    expect([count(listed.owned), count(listed.leasable), listed.overflow]).toEqual([10, 9, "+12025550105"]);
    expect(contains(listed.leasable, 12_025_550_105)).toBe(false);
    const separate = resolveOwnership([aPool({ assignment, numbers: ["+12025550100"] })]).get("default/sales")!;
    expect([count(separate.owned), count(separate.leasable), separate.overflow]).toEqual([2, 1, "+12025550105"]);
  });

  test("conflicts like any other; the loser has none then", () => {
    const loser = aPool({ assignment, numbers: ["+12025550190"] }, { key: "default/young", createdAt: "2026-02-01T00:00:00Z" });
    const ownership = resolveOwnership([old, loser]).get("default/young")!;
    expect([ownership.overflow, toE164Ranges(ownership.leasable)]).toEqual([null, [{ from: "+12025550190", to: "+12025550190" }]]);
  });

  test("is no number of a pool that doesn't use it", () => {
    const leftOver = anAssignment({ onExhausted: { type: "LeavePage", overflow: { number: "+12025550150" } } });
    expect(count(numbersOf(aPool({ assignment: leftOver }).spec))).toBe(10);
  });
});

test("any pools: each number has one owner, the most senior of those that list it, and losers name that owner", () => {
  const span = fc.tuple(fc.nat(60), fc.nat(12)).map(([from, length]) => ({ from: `+1202555${1000 + from}`, to: `+1202555${1000 + from + length}` }));
  const pools = fc.array(fc.tuple(fc.array(span, { minLength: 1, maxLength: 4 }), fc.nat(3)), { maxLength: 6 }).map((list) =>
    list.map(([ranges, day], i) => aPool({ ranges }, { key: `ns/p${i}`, createdAt: new Date(Date.UTC(2026, 0, 1 + day)) })),
  );
  fc.assert(
    fc.property(pools, (given) => {
      const ownership = resolveOwnership(given);
      const seniors = [...given].sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime() || (a.key < b.key ? -1 : 1));
      for (let number = 12_025_551_000; number <= 12_025_551_080; number += 1) {
        const listing = seniors.filter((pool) => contains(numbersOf(pool.spec), number));
        const owners = given.filter((pool) => contains(ownership.get(pool.key)!.owned, number));
        expect(owners.map((pool) => pool.key)).toEqual(listing.slice(0, 1).map((pool) => pool.key));
        for (const loser of listing.slice(1)) {
          const named = ownership.get(loser.key)!.conflicts.filter(({ range }) => range.first <= number && number <= range.last);
          expect(named.map((conflict) => conflict.holder)).toEqual([listing[0]!.key]);
        }
      }
    }),
  );
});

test("two hundred pools of a thousand single numbers each lose exactly what their elders list too", () => {
  const pools = Array.from({ length: 200 }, (_, p) => {
    const numbers = Array.from({ length: 1000 }, (_, i) => `+1${2_000_000_000 + p * 1990 + i * 2}`);
    return aPool({ numbers }, { key: `ns/p${String(p).padStart(4, "0")}` });
  });
  const ownership = resolveOwnership(pools);
  const total = [...ownership.values()].reduce((sum, { owned }) => sum + count(owned), 0);
  const lost = [...ownership.values()].reduce((sum, { conflicts }) => sum + conflicts.length, 0);
  // Neighbours share their five outermost numbers.
  expect([total, lost]).toEqual([200_000 - 199 * 5, 199 * 5]);
});
