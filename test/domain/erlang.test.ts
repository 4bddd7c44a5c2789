import { describe, expect, it } from "vitest";
import { erlangB, numbersNeeded, offeredLoad, TARGET_BLOCKING } from "../../src/domain/sizing.ts";
import type { Uuid } from "../../src/domain/types.ts";
import { anAssignment, e164 } from "./builders.ts";
import { decideClaim, type PoolNumber } from "./lease-model.ts";

const HOLDING = { visitSeconds: 60, leaseSeconds: 300, cooldownSeconds: 120 };
/** Everybody comes back once, and a renewal promises a twentieth of a lease more than it must: a number is held for as long. */
const HELD = { ...HOLDING, visitSeconds: HOLDING.visitSeconds + HOLDING.leaseSeconds / 20 };
const ARRIVALS_PER_HOUR = 600;
const DAY_SECONDS = 86_400;
/** Visits before the pool has filled up count for nothing. */
const WARM_UP_SECONDS = 3_600;
const DAYS = 6;
/** Student's t for 5 degrees of freedom, 99 % two-sided. */
const T = 4.032;

/** A generator with a seed (mulberry32): the same days every time, so the test holds always or never. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface Event {
  readonly at: number;
  readonly prospect: Uuid;
  readonly type: "arrives" | "last sign of life";
}

/** Poisson arrivals; visits of any length with that mean: Erlang's formula doesn't ask for more. */
function aDay(random: () => number): Event[] {
  const exponential = (mean: number) => -mean * Math.log(1 - random());
  const events: Event[] = [];
  for (let at = 0, visitor = 0; at < DAY_SECONDS; at += exponential(3600 / ARRIVALS_PER_HOUR), visitor += 1) {
    const prospect = `visitor-${visitor}`;
    events.push({ at, prospect, type: "arrives" }, { at: at + exponential(HOLDING.visitSeconds), prospect, type: "last sign of life" });
  }
  return events.sort((a, b) => a.at - b.at);
}

/** The share of visitors who found no number free, by the rules that lend numbers. */
function blockedShare(numbers: number, events: readonly Event[]): number {
  const assignment = anAssignment({ leaseSeconds: HOLDING.leaseSeconds, cooldownSeconds: HOLDING.cooldownSeconds, onExhausted: { type: "LeavePage" } });
  const pool = Array.from({ length: numbers }, (_, index): PoolNumber => ({ did: e164(`+1202555${1000 + index}`), inService: true, lease: null }));
  const placeOf = new Map(pool.map(({ did }, place) => [did, place]));
  let arrived = 0;
  let blocked = 0;
  const turnedAway = new Set<Uuid>();
  for (const { at, prospect, type } of events) {
    if (type === "last sign of life" && turnedAway.has(prospect)) continue;
    const decision = decideClaim(pool, { prospect, at: new Date(at * 1000), assignment, busy: new Set() });
    if ("lease" in decision) pool[placeOf.get(decision.did) ?? 0] = { did: decision.did, inService: true, lease: decision.lease };
    else turnedAway.add(prospect);
    if (type !== "arrives" || at < WARM_UP_SECONDS) continue;
    arrived += 1;
    if (!("lease" in decision)) blocked += 1;
  }
  return blocked / arrived;
}

describe("a day of Poisson visitors", () => {
  const load = offeredLoad(ARRIVALS_PER_HOUR, HELD);

  it.each<[string, number]>([
    ["a pool of the recommended size", numbersNeeded(load)],
    ["a pool that is a tenth too small", Math.floor(numbersNeeded(load) * 0.9)],
  ])("%s turns away as many as Erlang's formula predicts, within the confidence interval of six days", { timeout: 120_000 }, (_name, numbers) => {
    const shares = Array.from({ length: DAYS }, (_, day) => blockedShare(numbers, aDay(seeded(day + 1))));
    const mean = shares.reduce((sum, share) => sum + share, 0) / DAYS;
    const deviation = Math.sqrt(shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / (DAYS - 1));
    const half = (T * deviation) / Math.sqrt(DAYS);
    expect(half).toBeLessThan(mean);
    expect(Math.abs(mean - erlangB(load, numbers))).toBeLessThan(half);
  });

  it("the recommended size is the least that keeps to one in a hundred", () => {
    expect(erlangB(load, numbersNeeded(load))).toBeLessThanOrEqual(TARGET_BLOCKING);
    expect(erlangB(load, numbersNeeded(load) - 1)).toBeGreaterThan(TARGET_BLOCKING);
  });
});
