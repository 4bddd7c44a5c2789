import type { NumberPoolAssignment } from "../../src/domain/api.generated.ts";
import { bySeniority, compareText } from "../../src/domain/seniority.ts";
import type { E164, Uuid } from "../../src/domain/types.ts";

/**
 * The rules of lending numbers, as the model that the SQL is held to: src/adapters/postgres/sql/ claims for many prospects at once and must
 * decide like this (test/adapters/postgres/claim-model.test.ts compares them). Nothing of this runs in production.
 * Everything follows from timestamps; no job has to run for a number to become free.
 */

/** One number of a pool and the last time it was lent. */
export interface PoolNumber {
  readonly did: E164;
  /** False once the pool no longer lists or owns it: it is not lent again. */
  readonly inService: boolean;
  readonly lease: Lease | null;
}

export interface Lease {
  readonly holder: Uuid;
  readonly leasedAt: Date;
  /** The promise: nobody else is shown the number before then. Moved forward by signs of life, back by a release. */
  readonly leasedUntil: Date;
  /** End of the cool-down: nobody else gets the number before then. */
  readonly freeAt: Date;
  /** The holder gave it back while other pages of his were promised it until then: nobody else is shown it before. */
  readonly promisedUntil?: Date;
}

/**
 * - `Leased`       one prospect's alone, even when it was taken out of the pool meanwhile
 * - `CoolingDown`  only the prospect who held it last may have it back, unless the pool reclaims when it is exhausted
 * - `Free`         anybody may have it
 * - `Retired`      not in the pool any more and not leased; nobody gets it
 */
export type NumberState = "Free" | "Leased" | "CoolingDown" | "Retired";

/** A lease ends at `leasedUntil` and the cool-down at `freeAt`: both instants belong to what follows. */
export function stateOf(number: PoolNumber, at: Date): NumberState {
  const { lease } = number;
  if (lease !== null && at < lease.leasedUntil) return "Leased";
  if (!number.inService) return "Retired";
  return lease !== null && at < lease.freeAt ? "CoolingDown" : "Free";
}

/**
 * A lease that starts or is renewed at `at`. A renewal never shortens what was promised, leaves alone what reaches far enough, and else
 * reaches a twentieth further than it must: the next pages of the same visit then change nothing, and cost no write.
 */
export function leaseFrom(at: Date, holder: Uuid, assignment: Durations, before: Lease | null = null): Lease {
  const renewed = before !== null && before.holder === holder && at < before.leasedUntil;
  const least = at.getTime() + assignment.leaseSeconds * 1000;
  const isEnough = renewed && before.leasedUntil.getTime() >= least;
  const leasedUntil = isEnough ? before.leasedUntil : new Date(least + (renewed ? assignment.leaseSeconds * 50 : 0));
  const promised = before?.promisedUntil;
  return {
    holder,
    leasedAt: renewed ? before.leasedAt : at,
    leasedUntil,
    freeAt: latest(new Date(leasedUntil.getTime() + assignment.cooldownSeconds * 1000), promised),
    ...(promised === undefined ? {} : { promisedUntil: promised }),
  };
}

function latest(date: Date, other: Date | undefined): Date {
  return other !== undefined && other > date ? other : date;
}

export type Durations = Pick<NumberPoolAssignment, "leaseSeconds" | "cooldownSeconds">;

/**
 * Ends a lease now; the cool-down starts. What ended already stays as it is.
 * @param others whether other pages of the holder may show the number: what they were promised is kept
 */
export function release(lease: Lease, at: Date, assignment: Durations, others = false): Lease {
  if (at >= lease.leasedUntil) return lease;
  const promised = others ? latest(lease.leasedUntil, lease.promisedUntil) : lease.promisedUntil;
  const freeAt = latest(new Date(at.getTime() + assignment.cooldownSeconds * 1000), promised);
  return { ...lease, leasedUntil: at, freeAt, ...(promised === undefined ? {} : { promisedUntil: promised }) };
}

/** What the pool may do for one prospect at one moment. */
export interface Claim {
  readonly prospect: Uuid;
  readonly at: Date;
  readonly assignment: NumberPoolAssignment;
  /** Prospects who are online or in a call: the rest of their cool-downs is never given up. */
  readonly busy: ReadonlySet<Uuid>;
}

export type ClaimDecision =
  | { readonly type: "Renewed" | "Honoured" | "Returned" | "Assigned" | "Reclaimed"; readonly did: E164; readonly lease: Lease }
  | { readonly type: "Overflow"; readonly did: E164 }
  | { readonly type: "Exhausted" };

/**
 * In this order: the number the prospect holds; the number the prospect held last, if nobody got it since; the free number that
 * was released longest ago (never lent ones first); what the pool says for exhaustion. A held number that was taken out of the
 * pool meanwhile is honoured to the end of its lease, but not renewed.
 */
export function decideClaim(numbers: readonly PoolNumber[], claim: Claim): ClaimDecision {
  const { at, prospect, assignment } = claim;
  const leasable = numbers.filter((number) => number.did !== overflowOf(assignment));
  const give = (type: "Renewed" | "Returned" | "Assigned" | "Reclaimed", number: PoolNumber): ClaimDecision => {
    return { type, did: number.did, lease: leaseFrom(at, prospect, assignment, number.lease) };
  };
  const own = leasable.filter((number) => number.lease?.holder === prospect);
  const held = own.filter((number) => stateOf(number, at) === "Leased").sort(byService)[0];
  if (held !== undefined) return held.inService || held.lease === null ? give("Renewed", held) : { type: "Honoured", did: held.did, lease: held.lease };
  const last = own.filter((number) => stateOf(number, at) !== "Retired").sort((a, b) => -byRelease(a, b))[0];
  if (last !== undefined) return give("Returned", last);
  const free = leasable.filter((number) => stateOf(number, at) === "Free").sort(byRelease)[0];
  if (free !== undefined) return give("Assigned", free);
  return exhausted(leasable, claim, (number) => give("Reclaimed", number));
}

function exhausted(leasable: readonly PoolNumber[], claim: Claim, reclaim: (number: PoolNumber) => ClaimDecision): ClaimDecision {
  const overflow = overflowOf(claim.assignment);
  if (overflow !== null) return { type: "Overflow", did: overflow };
  if (claim.assignment.onExhausted.type !== "ReclaimOldest") return { type: "Exhausted" };
  // A promise is never cut short (docs/decisions/0003): only what is left of a cool-down is given up, the oldest first.
  const idle = leasable.filter((number) => isIdle(number, claim)).sort(byRelease)[0];
  return idle === undefined ? { type: "Exhausted" } : reclaim(idle);
}

function isIdle(number: PoolNumber, { at, busy }: Claim): boolean {
  const { holder = "", promisedUntil = at } = number.lease ?? {};
  return stateOf(number, at) === "CoolingDown" && promisedUntil <= at && !busy.has(holder);
}

function overflowOf(assignment: NumberPoolAssignment): E164 | null {
  const { type, overflow } = assignment.onExhausted;
  return type === "Overflow" && overflow !== undefined ? (overflow.number as E164) : null;
}

/** Released longest ago first; never lent before all. */
function byRelease(a: PoolNumber, b: PoolNumber): number {
  return (a.lease?.leasedUntil.getTime() ?? 0) - (b.lease?.leasedUntil.getTime() ?? 0) || compareText(a.did, b.did);
}

/** What can be renewed goes first, then the older lease. */
function byService(a: PoolNumber, b: PoolNumber): number {
  return Number(b.inService) - Number(a.inService) || (a.lease?.leasedAt.getTime() ?? 0) - (b.lease?.leasedAt.getTime() ?? 0) || compareText(a.did, b.did);
}

/**
 * Two devices with different numbers turn out to be one person: the older lease is the one renewed from now on. The other keeps
 * pointing to that person until it ends, and is not renewed.
 */
export function mergeLeases<T extends { readonly did: E164; readonly leasedAt: Date }>(a: T, b: T): { readonly kept: T; readonly ending: T } {
  const seniority = bySeniority({ key: a.did, createdAt: a.leasedAt }, { key: b.did, createdAt: b.leasedAt });
  return seniority <= 0 ? { kept: a, ending: b } : { kept: b, ending: a };
}
