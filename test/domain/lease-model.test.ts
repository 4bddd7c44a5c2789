import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anAssignment, e164 } from "./builders.ts";
import { decideClaim, leaseFrom, mergeLeases, release, stateOf, type ClaimDecision, type PoolNumber } from "./lease-model.ts";

const NOON = Date.parse("2026-06-01T12:00:00Z");
const at = (minutes: number): Date => new Date(NOON + minutes * 60_000);
const assignment = anAssignment(); // half an hour, then a quarter of an hour

/** Held by `holder` until `until` minutes after noon. */
function number(last: number, holder?: string, until = 0): PoolNumber {
  const did = e164(`+1202555010${last}`);
  if (holder === undefined) return { did, inService: true, lease: null };
  return { did, inService: true, lease: { holder, leasedAt: at(until - 30), leasedUntil: at(until), freeAt: at(until + 15) } };
}

describe("the state of a number follows from timestamps", () => {
  test.each([
    ["never lent", number(0), "Free"],
    ["the lease lives", number(0, "ann", 1), "Leased"],
    ["the lease ends this instant", number(0, "ann", 0), "CoolingDown"],
    ["the cool-down ends this instant", number(0, "ann", -15), "Free"],
    ["taken out of the pool while leased", { ...number(0, "ann", 1), inService: false }, "Leased"],
    ["taken out of the pool", { ...number(0, "ann", -1), inService: false }, "Retired"],
    ["taken out of the pool, never lent", { ...number(0), inService: false }, "Retired"],
  ] as const)("%s", (_, given, state) => {
    expect(stateOf(given, at(0))).toBe(state);
  });
});

describe("what other pages of the holder were promised", () => {
  const given = release(leaseFrom(at(0), "ann", assignment), at(5), assignment, true);
  const reclaim = anAssignment({ onExhausted: { type: "ReclaimOldest" } });
  const bobAt = (minutes: number, of = assignment) =>
    decideClaim([{ ...number(0), lease: given }], { prospect: "bob", at: at(minutes), assignment: of, busy: new Set() }).type;

  test("outlives a release, whose cool-down is over sooner", () => {
    expect(given).toMatchObject({ leasedUntil: at(5), freeAt: at(30), promisedUntil: at(30) });
    expect([bobAt(29), bobAt(30)]).toEqual(["Exhausted", "Assigned"]);
  });
  test("is no cool-down that a pool could give up", () => expect(bobAt(29, reclaim)).toBe("Exhausted"));
  test("stands when the holder asks again", () => expect(leaseFrom(at(6), "ann", { leaseSeconds: 60, cooldownSeconds: 0 }, given).freeAt).toEqual(at(30)));
});

describe("a claim", () => {
  const reclaim = anAssignment({ onExhausted: { type: "ReclaimOldest" } });
  const overflow = anAssignment({ onExhausted: { type: "Overflow", overflow: { number: "+12025550109" } } });
  const claim = (numbers: readonly PoolNumber[], of = assignment, busy: readonly string[] = []): ClaimDecision =>
    decideClaim(numbers, { prospect: "ann", at: at(0), assignment: of, busy: new Set(busy) });

  test.each<[string, ClaimDecision, string, string | null]>([
    ["renews the number that the prospect holds", claim([number(0), number(1, "ann", 5)]), "Renewed", "+12025550101"],
    ["renews the older of two leases", claim([number(0, "ann", 5), number(1, "ann", 3)]), "Renewed", "+12025550101"],
    ["gives a returning prospect the number back in its cool-down", claim([number(0), number(1, "ann", -5)]), "Returned", "+12025550101"],
    ["gives a returning prospect the number back after it", claim([number(0), number(1, "ann", -500)]), "Returned", "+12025550101"],
    ["of two numbers held before gives the later one back", claim([number(0, "ann", -50), number(1, "ann", -40), number(2, "ann", -60)]), "Returned", "+12025550101"],
    ["but not one that was taken out of the pool", claim([number(0), { ...number(1, "ann", -5), inService: false }]), "Assigned", "+12025550100"],
    ["takes a number that was never lent first", claim([number(0, "bob", -500), number(1)]), "Assigned", "+12025550101"],
    ["takes the one released longest ago", claim([number(0, "bob", -20), number(1, "cy", -30), number(2, "di", -25)]), "Assigned", "+12025550101"],
    ["never takes another's lease", claim([number(0, "bob", 1)]), "Exhausted", null],
    ["never takes a number that cools down", claim([number(0, "bob", -14)]), "Exhausted", null],
    ["shows the overflow number when none is free", claim([number(0, "bob", 1)], overflow), "Overflow", "+12025550109"],
    ["never lends the overflow number", claim([number(9)], overflow), "Overflow", "+12025550109"],
    ["honours a held number that was taken out of the pool", claim([number(0), { ...number(1, "ann", 5), inService: false }]), "Honoured", "+12025550101"],
    ["prefers one that can be renewed", claim([{ ...number(0, "ann", 3), inService: false }, number(1, "ann", 5)]), "Renewed", "+12025550101"],
    ["reclaims the cool-down that began longest ago", claim([number(0, "bob", -1), number(1, "cy", -5), number(2, "di", -3)], reclaim), "Reclaimed", "+12025550101"],
    ["but no one's who is online or in a call", claim([number(0, "bob", -1), number(1, "cy", -5)], reclaim, ["cy"]), "Reclaimed", "+12025550100"],
    ["and leaves the page as it is when all are", claim([number(1, "cy", -5)], reclaim, ["cy"]), "Exhausted", null],
    ["reclaims nothing that was taken out of the pool", claim([{ ...number(1, "cy", -3), inService: false }], reclaim), "Exhausted", null],
    ["never reclaims a lease", claim([number(1, "cy", 3)], reclaim), "Exhausted", null],
    ["reclaims nothing while a number is free", claim([number(0, "bob", -500), number(1, "cy", -3)], reclaim), "Assigned", "+12025550100"],
    ["finds nothing in an empty pool", claim([]), "Exhausted", null],
  ])("%s", (_, decision, type, did) => {
    expect(decision.type).toBe(type);
    expect("did" in decision ? decision.did : null).toBe(did);
  });
});

test("a number that was taken out of the pool keeps its promise, unextended", () => {
  const leaving = { ...number(1, "ann", 5), inService: false };
  expect(decideClaim([leaving], { prospect: "ann", at: at(0), assignment, busy: new Set() })).toMatchObject({ type: "Honoured", lease: leaving.lease });
  expect(decideClaim([leaving, number(0)], { prospect: "ann", at: at(5), assignment, busy: new Set() })).toMatchObject({ type: "Assigned", did: "+12025550100" });
});

describe("a lease", () => {
  test("lasts as promised and then cools down", () => {
    expect(leaseFrom(at(0), "ann", assignment)).toEqual({ holder: "ann", leasedAt: at(0), leasedUntil: at(30), freeAt: at(45) });
  });

  test("keeps its age when renewed, and is never shortened by a pool that promises less now", () => {
    const before = leaseFrom(at(0), "ann", assignment);
    expect(leaseFrom(at(10), "ann", assignment, before)).toEqual({ holder: "ann", leasedAt: at(0), leasedUntil: at(41.5), freeAt: at(56.5) });
    expect(leaseFrom(at(11), "ann", assignment, leaseFrom(at(10), "ann", assignment, before)).leasedUntil).toEqual(at(41.5));
    expect(leaseFrom(at(10), "ann", anAssignment({ leaseSeconds: 60 }), before).leasedUntil).toEqual(at(30));
  });

  test("is a new one after its end", () => {
    expect(leaseFrom(at(31), "ann", assignment, leaseFrom(at(0), "ann", assignment)).leasedAt).toEqual(at(31));
  });

  test("ends when released, and cools down from then", () => {
    const lease = leaseFrom(at(0), "ann", assignment);
    expect(release(lease, at(5), assignment)).toMatchObject({ leasedUntil: at(5), freeAt: at(20) });
    expect(release(lease, at(31), assignment)).toBe(lease);
  });

  test("of two that are merged the older is kept, whichever comes first", () => {
    const [older, younger] = [{ did: e164("+12025550109"), leasedAt: at(0) }, { did: e164("+12025550100"), leasedAt: at(1) }];
    expect(mergeLeases(older, younger)).toEqual({ kept: older, ending: younger });
    expect(mergeLeases(younger, older)).toEqual({ kept: older, ending: younger });
    const twin = { ...younger, leasedAt: at(0) };
    expect(mergeLeases(older, twin).kept).toBe(twin);
  });
});

test("whatever is claimed and released in whatever order, the promises hold", () => {
  const step = fc.record({ minutes: fc.nat(20), prospect: fc.constantFrom("ann", "bob", "cy", "di", "eve"), release: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let numbers: PoolNumber[] = [number(0), number(1), number(2)];
      let minute = 0;
      for (const { minutes, prospect, release: leaves } of steps) {
        minute += minutes;
        const now = at(minute);
        if (leaves) {
          numbers = numbers.map((each) => (each.lease?.holder === prospect ? { ...each, lease: release(each.lease, now, assignment) } : each));
          continue;
        }
        const decision = decideClaim(numbers, { prospect, at: now, assignment, busy: new Set() });
        if (!("lease" in decision)) continue;
        const before = numbers.find((each) => each.did === decision.did)!.lease;
        if (before !== null && before.holder !== prospect) expect(before.freeAt.getTime()).toBeLessThanOrEqual(now.getTime());
        expect(decision.lease.leasedUntil.getTime()).toBeGreaterThanOrEqual(now.getTime() + 1800_000);
        numbers = numbers.map((each) => (each.did === decision.did ? { ...each, lease: decision.lease } : each));
        const held = numbers.filter((each) => stateOf(each, now) === "Leased").map((each) => each.lease?.holder);
        expect(new Set(held).size).toBe(held.length);
      }
    }),
  );
});
