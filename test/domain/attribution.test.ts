import { describe, expect, test } from "vitest";
import { attribute, type AttributionFacts } from "../../src/domain/attribution.ts";

const NOON = Date.parse("2026-06-01T12:00:00Z");
const minutes = (n: number): Date => new Date(NOON + n * 60_000);
const days = (n: number): Date => minutes(n * 24 * 60);

/** Called at noon; Ann held the number last. Window 30 days, cool-down 15 minutes. */
function given(of: Partial<AttributionFacts> & { readonly annUntil?: Date } = {}): AttributionFacts {
  const { annUntil = minutes(10), ...rest } = of;
  const last = { prospect: "ann", leasedUntil: annUntil, freeAt: new Date(annUntil.getTime() + 15 * 60_000) };
  return { at: minutes(0), overflow: false, last, previousLeasedUntil: null, reachedBefore: null, windowSeconds: 30 * 86_400, ...rest };
}

describe("a call is attributed by what is known of its number", () => {
  test.each<[string, AttributionFacts, string, string | null]>([
    ["the overflow number, whoever saw it", given({ overflow: true, last: null }), "overflow", null],
    ["the overflow number, even for a caller known from before", given({ overflow: true, annUntil: minutes(-1), reachedBefore: "bob" }), "overflow", null],
    ["the overflow number, promised to Ann before it was set apart", given({ overflow: true }), "exclusive", "ann"],
    ["never lent", given({ last: null }), "none", null],
    ["the lease lives", given(), "exclusive", "ann"],
    ["the lease lives, though Bob had the number yesterday", given({ previousLeasedUntil: days(-1) }), "exclusive", "ann"],
    ["the lease ends this instant", given({ annUntil: minutes(0) }), "stale", "ann"],
    ["the lease ended in the cool-down", given({ annUntil: minutes(-5) }), "stale", "ann"],
    ["in the cool-down nobody else can be meant, though Bob had it yesterday", given({ annUntil: minutes(-5), previousLeasedUntil: days(-1) }), "stale", "ann"],
    ["the cool-down is over and nobody else had it", given({ annUntil: days(-1) }), "stale", "ann"],
    ["the cool-down is over and Bob had it within the window", given({ annUntil: minutes(-15), previousLeasedUntil: days(-1) }), "ambiguous", "ann"],
    ["the cool-down is over and Bob had it before the window", given({ annUntil: days(-1), previousLeasedUntil: days(-31) }), "stale", "ann"],
    ["the last instant of the window", given({ annUntil: days(-30) }), "stale", "ann"],
    ["just after the window", given({ annUntil: new Date(days(-30).getTime() - 1) }), "none", null],
    ["no window at all", given({ annUntil: minutes(-1), windowSeconds: 0 }), "none", null],
    ["this caller reached Bob before, and Ann holds the number now", given({ reachedBefore: "bob" }), "repeat", "bob"],
    ["this caller reached Bob before, and nobody holds it any more", given({ reachedBefore: "bob", annUntil: days(-90) }), "repeat", "bob"],
    ["this caller reached Ann before, and she still holds it", given({ reachedBefore: "ann" }), "exclusive", "ann"],
    ["this caller reached Ann before, and she held it last", given({ reachedBefore: "ann", annUntil: days(-2) }), "stale", "ann"],
    ["this caller reached Bob before, whose history was moved", given({ reachedBefore: "bob", last: null }), "repeat", "bob"],
  ])("%s", (_, facts, attribution, prospect) => {
    expect(attribute(facts)).toEqual({ attribution, prospect });
  });
});
