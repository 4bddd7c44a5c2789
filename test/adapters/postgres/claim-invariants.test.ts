import { describe, expect, it } from "vitest";
import { type Acknowledged, missingFromHistory, type Released, violations } from "./claim-invariants.ts";

const PROMISES = { leaseMs: 2_000, cooldownMs: 1_000 };

function told(of: Partial<Acknowledged> = {}): Acknowledged {
  const determinedAt = of.determinedAt ?? 10_000;
  return { pool: "p", prospect: "ann", did: "+1", determinedAt, leasedUntil: determinedAt + 2_000, renewed: false, ...of };
}

function released(of: Partial<Released> = {}): Released {
  return { pool: "p", prospect: "ann", startedAt: 10_500, endedAt: 10_510, ...of };
}

describe("the checker accepts", () => {
  const cases: Record<string, { claims: Acknowledged[]; releases?: Released[] }> = {
    "a number handed on when lease and cool-down ended": { claims: [told(), told({ prospect: "bob", determinedAt: 13_000 })] },
    "a number handed on a cool-down after it was given back": {
      claims: [told(), told({ prospect: "bob", determinedAt: 11_500 })],
      releases: [released()],
    },
    "a number back from a killed process that was releasing it": {
      claims: [told(), told({ prospect: "bob", determinedAt: 11_500 })],
      releases: [released({ endedAt: Number.POSITIVE_INFINITY })],
    },
    "a renewal": { claims: [told(), told({ determinedAt: 11_000, renewed: true })] },
    "a promise that is told again while it reaches far enough": { claims: [told({ leasedUntil: 12_100 }), told({ determinedAt: 10_100, leasedUntil: 12_100, renewed: true })] },
    "a number given back at some time, decided at some time": {
      claims: [told({ determinedFrom: 10_450, determinedAt: 10_550 }), told({ prospect: "bob", determinedAt: 11_600 })],
      releases: [released()],
    },
    "another number in another pool": { claims: [told(), told({ pool: "q", did: "+2" })] },
    "another number after the lease": { claims: [told(), told({ did: "+2", determinedAt: 12_000 })] },
    "another number after giving the first back": { claims: [told(), told({ did: "+2", determinedAt: 10_600 })], releases: [released()] },
    "acknowledgements in any order": { claims: [told({ prospect: "bob", determinedAt: 13_000 }), told()] },
  };
  it.each(Object.entries(cases))("%s", (_, { claims, releases = [] }) => expect(violations(claims, releases, PROMISES)).toEqual([]));
});

describe("the checker finds", () => {
  const cases: Record<string, { claims: Acknowledged[]; releases?: Released[]; sentence: string }> = {
    "a number leased to two": {
      claims: [told(), told({ prospect: "bob", determinedAt: 11_999 })],
      sentence: "+1 was given to bob while it was leased to ann, at 11999",
    },
    "a number leased to two at the same millisecond": { claims: [told(), told({ prospect: "bob" })], sentence: "+1 was given to bob while it was leased to ann, at 10000" },
    "a renewal forgotten": {
      claims: [told(), told({ determinedAt: 11_500, renewed: true }), told({ prospect: "bob", determinedAt: 13_200 })],
      sentence: "+1 was given to bob while it was leased to ann, at 13200",
    },
    "a cool-down cut short": {
      claims: [told(), told({ prospect: "bob", determinedAt: 12_999 })],
      sentence: "+1 was given to bob 999 ms after it had been leased to ann, at 12999",
    },
    "a cool-down cut short after a release": {
      claims: [told(), told({ prospect: "bob", determinedAt: 11_499 })],
      releases: [released()],
      sentence: "+1 was given to bob 999 ms after it had been leased to ann, at 11499",
    },
    "a release by somebody else that freed the number": {
      claims: [told(), told({ prospect: "bob", determinedAt: 11_600 })],
      releases: [released({ prospect: "eve" })],
      sentence: "+1 was given to bob while it was leased to ann, at 11600",
    },
    "a release of another pool that freed the number": {
      claims: [told(), told({ prospect: "bob", determinedAt: 11_600 })],
      releases: [released({ pool: "q" })],
      sentence: "+1 was given to bob while it was leased to ann, at 11600",
    },
    "an earlier release that freed a later lease": {
      claims: [told({ determinedAt: 10_600 }), told({ prospect: "bob", determinedAt: 11_700 })],
      releases: [released()],
      sentence: "+1 was given to bob while it was leased to ann, at 11700",
    },
    "two numbers for one prospect": { claims: [told(), told({ did: "+2", determinedAt: 11_999 })], sentence: "ann was given +2 while it had +1, at 11999" },
    "a new lease that is too short": { claims: [told({ leasedUntil: 11_999 })], sentence: "+1 was promised to ann for 1999 ms only, at 10000" },
    "a renewal that is too short": { claims: [told({ leasedUntil: 11_999, renewed: true })], sentence: "+1 was promised to ann for 1999 ms only, at 10000" },
    "a promise taken back": {
      claims: [told({ leasedUntil: 13_000 }), told({ determinedAt: 10_100, leasedUntil: 12_500, renewed: true })],
      sentence: "+1 was promised to ann until 13000, then only until 12500",
    },
  };
  it.each(Object.entries(cases))("%s", (_, { claims, releases = [], sentence }) => expect(violations(claims, releases, PROMISES)).toEqual([sentence]));
});

describe("the history", () => {
  const claim = { ...told({ determinedAt: 11_000, renewed: true }), device: "phone", mediaElement: "header" };
  const row = { did: "+1", prospect: "ann", device: "phone", mediaElement: "header", leasedFrom: 10_000 };
  const complaint = ["the history does not tell that +1 was shown to ann with header at 11000"];

  it("knows a claim by number, prospect, device, media element and lease", () => {
    expect(missingFromHistory([claim], [{ ...row, prospect: "eve", leasedFrom: 5_000 }, row, { ...row, prospect: "bob", leasedFrom: 14_000 }])).toEqual([]);
  });

  it.each([
    ["nothing is written", []],
    ["another number is written", [{ ...row, did: "+2" }]],
    ["another media element is written", [{ ...row, mediaElement: "footer" }]],
    ["another device is written", [{ ...row, device: "tablet" }]],
    ["it is written for a later lease only", [{ ...row, leasedFrom: 11_001 }]],
    ["somebody else had the number since", [row, { ...row, prospect: "bob", leasedFrom: 10_900 }]],
  ])("misses it when %s", (_, history) => expect(missingFromHistory([claim], history)).toEqual(complaint));
});
