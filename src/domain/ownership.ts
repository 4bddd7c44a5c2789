import type { NumberPoolSpec } from "./api.generated.ts";
import { parseE164 } from "./e164.ts";
import { ExpectedError } from "./errors.ts";
import { EMPTY, count, describeRange, digitsOf, normalise, parseRange, subtract, toNumber, type DigitRange, type RangeSet } from "./ranges.ts";
import { bySeniority, type Senior } from "./seniority.ts";
import type { E164, ResourceKey } from "./types.ts";

/**
 * Whose is a number that several pools list? The older pool's (creationTimestamp, then namespace/name). The younger keeps its
 * other numbers in service. Level based: the answer follows from the pools that exist now, so a conflict that ends heals itself,
 * and deleting the loser never touches the holder.
 */

export interface PoolNumbers extends Senior {
  readonly spec: Pick<NumberPoolSpec, "numbers" | "ranges" | "assignment">;
}

export interface Conflict {
  readonly range: DigitRange;
  readonly holder: ResourceKey;
}

export interface Ownership {
  /** In service, the overflow number included. */
  readonly owned: RangeSet;
  /** What may be leased to prospects: `owned` without the overflow number. */
  readonly leasable: RangeSet;
  /** The shared number, if the pool has one and owns it. */
  readonly overflow: E164 | null;
  /** Ascending. */
  readonly conflicts: readonly Conflict[];
  /** How many numbers the pool lists. */
  readonly listed: number;
}

/** Whether both say the same. `leasable` follows from the others. */
export function sameOwnership(a: Ownership, b: Ownership): boolean {
  return (
    a.listed === b.listed &&
    a.overflow === b.overflow &&
    sameRanges(a.owned, b.owned) &&
    a.conflicts.length === b.conflicts.length &&
    a.conflicts.every((conflict, i) => conflict.holder === b.conflicts[i]?.holder && sameRanges([conflict.range], [b.conflicts[i].range]))
  );
}

function sameRanges(a: RangeSet, b: RangeSet): boolean {
  return a.length === b.length && a.every(({ first, last }, i) => first === b[i]?.first && last === b[i].last);
}

/**
 * All numbers of a pool: single ones, ranges and the overflow number, whether or not it is also listed.
 * @throws ExpectedError `InvalidInput` naming the field, for a specification that no schema has checked
 */
export function numbersOf(spec: PoolNumbers["spec"]): RangeSet {
  const ranges = (spec.ranges ?? []).map((range, i) => parseRange(range, `spec.ranges[${i}]`));
  const singles = (spec.numbers ?? []).map((number, i) => parseRange({ from: number, to: number }, `spec.numbers[${i}]`));
  const overflow = overflowOf(spec);
  if (overflow !== null) singles.push({ first: toNumber(overflow), last: toNumber(overflow) });
  return normalise([...ranges, ...singles]);
}

function overflowOf(spec: PoolNumbers["spec"]): E164 | null {
  const { type, overflow } = spec.assignment.onExhausted;
  return type === "Overflow" && overflow !== undefined ? parseE164(overflow.number) : null;
}

/**
 * Pools in any order. A pool whose numbers can't be read owns nothing and disturbs no other; validation says what is wrong with it.
 * O(n log n) in the number of ranges of all pools, plus the conflicts.
 */
export function resolveOwnership(pools: readonly PoolNumbers[]): ReadonlyMap<ResourceKey, Ownership> {
  const ranked = [...pools].sort(bySeniority);
  const listed = ranked.map((pool) => readable(pool.spec));
  const conflicts = sweep(listed);
  return new Map(
    ranked.map((pool, rank) => [pool.key, ownershipOf(pool, listed[rank] ?? [], nameHolders(conflicts[rank] ?? [], ranked))]),
  );
}

function readable(spec: PoolNumbers["spec"]): RangeSet {
  try {
    return numbersOf(spec);
  } catch (error) {
    if (error instanceof ExpectedError) return EMPTY;
    throw error;
  }
}

function ownershipOf(pool: PoolNumbers, listed: RangeSet, conflicts: readonly Conflict[]): Ownership {
  const owned = subtract(listed, normalise(conflicts.map((conflict) => conflict.range)));
  const wanted = overflowOf(pool.spec);
  const single = wanted === null ? [] : [{ first: toNumber(wanted), last: toNumber(wanted) }];
  const leasable = subtract(owned, single);
  const overflow = count(leasable) < count(owned) ? wanted : null;
  return { owned, leasable, overflow, conflicts, listed: count(listed) };
}

interface Lost {
  first: number;
  last: number;
  readonly holder: number;
}

function nameHolders(lost: readonly Lost[], ranked: readonly PoolNumbers[]): readonly Conflict[] {
  return lost.map(({ first, last, holder }) => ({ range: { first, last }, holder: ranked[holder]?.key ?? "" }));
}

/**
 * One pass over all range ends in ascending order, keeping the pools that are open at each point; the senior one owns the stretch
 * up to the next end, and the others lose it.
 * @param sets index is rank: 0 is the most senior
 * @returns by rank, what is lost to whom
 */
function sweep(sets: readonly RangeSet[]): readonly (readonly Lost[])[] {
  const lost: Lost[][] = sets.map(() => []);
  const ends = sets.flatMap((set, rank) => set.flatMap(({ first, last }) => [
    { at: first, rank, opens: true },
    { at: last + 1, rank, opens: false },
  ]));
  ends.sort((a, b) => a.at - b.at);
  const open: number[] = [];
  let from = 0;
  for (const { at, rank, opens } of ends) {
    if (at > from && open.length > 1) recordLoss(lost, open, { first: from, last: at - 1 });
    from = at;
    const place = insertionPoint(open, rank);
    if (opens) open.splice(place, 0, rank);
    else open.splice(place, 1);
  }
  return lost;
}

/** Where `rank` stands or belongs; few pools are ever open at once. */
function insertionPoint(open: readonly number[], rank: number): number {
  const index = open.findIndex((other) => other >= rank);
  return index === -1 ? open.length : index;
}

function recordLoss(lost: readonly Lost[][], open: readonly number[], stretch: DigitRange): void {
  const [holder = 0, ...losers] = open;
  for (const rank of losers) {
    const previous = lost[rank]?.at(-1);
    const continues = previous?.holder === holder && previous.last + 1 === stretch.first;
    if (continues && digitsOf(previous.last) === digitsOf(stretch.first)) previous.last = stretch.last;
    else lost[rank]?.push({ ...stretch, holder });
  }
}

/**
 * For the condition `Accepted=False/NumberConflict`: which numbers, who holds them, how many stay in service.
 * At most three conflicts are spelled out. Null without a conflict.
 */
export function conflictMessage(ownership: Ownership): string | null {
  const { conflicts } = ownership;
  if (conflicts.length === 0) return null;
  const named = conflicts.slice(0, 3).map(({ range, holder }) => {
    return `${describeRange(range)} ${range.first === range.last ? "belongs" : "belong"} to the older pool ${holder}`;
  });
  const more = conflicts.length > 3 ? `; ${conflicts.length - 3} more conflicts` : "";
  return `${named.join("; ")}${more}; ${count(ownership.owned)} of ${ownership.listed} numbers stay in service`;
}
