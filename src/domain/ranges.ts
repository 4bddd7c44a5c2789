import { ExpectedError } from "./errors.ts";
import { parseE164 } from "./e164.ts";
import type { E164 } from "./types.ts";

/**
 * Sets of telephone numbers as sorted, disjoint, inclusive ranges. A number is its digits as a JavaScript number: 15 digits
 * are below 2^53, so arithmetic is exact, and since none begins with 0, numbers of different length never coincide.
 * A range never spans two lengths. All operations are linear in the number of ranges; normalising sorts first.
 */

export interface DigitRange {
  readonly first: number;
  readonly last: number;
}

/** Sorted, disjoint, not adjacent. Only the functions here make one. */
export type RangeSet = readonly DigitRange[];

export interface E164Range {
  readonly from: E164;
  readonly to: E164;
}

export const EMPTY: RangeSet = [];

export function toNumber(number: E164): number {
  return Number(number.slice(1));
}

/** @throws ExpectedError `InvalidInput` for what is no telephone number. */
export function fromNumber(number: number): E164 {
  const text = parseE164(`+${number}`);
  if (text === null) throw new ExpectedError("InvalidInput", `${number} is not an E.164 number`);
  return text;
}

/**
 * @param range both ends included, as many digits in `to` as in `from`
 * @throws ExpectedError `InvalidInput` saying which end is wrong and what is allowed
 */
export function parseRange(range: { readonly from: string; readonly to: string }, field = "range"): DigitRange {
  const [from, to] = [parseE164(range.from), parseE164(range.to)];
  if (from === null) throw invalid(`${field}.from`, 'must be "+" and 7 to 15 digits, the first not 0');
  if (to === null) throw invalid(`${field}.to`, 'must be "+" and 7 to 15 digits, the first not 0');
  if (from.length !== to.length) throw invalid(`${field}.to`, "must have as many digits as `from`");
  if (to < from) throw invalid(`${field}.to`, "must not be below `from`");
  return { first: toNumber(from), last: toNumber(to) };
}

/** @throws ExpectedError `InvalidInput` as `parseRange` does */
export function parseRanges(ranges: readonly { readonly from: string; readonly to: string }[]): RangeSet {
  return normalise(ranges.map((range) => parseRange(range)));
}

function invalid(field: string, message: string): ExpectedError {
  return new ExpectedError("InvalidInput", `${field}: ${message}`, { field });
}

/** Sorts and joins what overlaps or touches. O(n log n). */
export function normalise(ranges: readonly DigitRange[]): RangeSet {
  const result: DigitRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.first - b.first)) append(result, range);
  return result;
}

/** Adds a range that begins not before the last one; numbers of different length are neighbours in value only. */
function append(sorted: DigitRange[], range: DigitRange): void {
  const previous = sorted.at(-1);
  const touches = previous !== undefined && range.first <= previous.last + 1 && digitsOf(range.first) === digitsOf(previous.last);
  if (touches) sorted[sorted.length - 1] = { first: previous.first, last: Math.max(previous.last, range.last) };
  else sorted.push(range);
}

/** Digits of a positive integer. */
export function digitsOf(number: number): number {
  return String(number).length;
}

export function union(a: RangeSet, b: RangeSet): RangeSet {
  return normalise([...a, ...b]);
}

/** What is in `a` and not in `b`. O(n + m). */
export function subtract(a: RangeSet, b: RangeSet): RangeSet {
  const result: DigitRange[] = [];
  let j = 0;
  for (const range of a) {
    let first = range.first;
    while ((b[j]?.last ?? Infinity) < first) j += 1;
    for (let k = j; first <= range.last; k += 1) {
      const hole = b[k];
      if (hole === undefined || hole.first > range.last) break;
      if (hole.first > first) result.push({ first, last: hole.first - 1 });
      first = hole.last + 1;
    }
    if (first <= range.last) result.push({ first, last: range.last });
  }
  return result;
}

/** O(log n). */
export function contains(set: RangeSet, number: number): boolean {
  let [low, high] = [0, set.length - 1];
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const range = set[middle];
    if (range === undefined || number < range.first) high = middle - 1;
    else if (number > range.last) low = middle + 1;
    else return true;
  }
  return false;
}

export function count(set: RangeSet): number {
  return set.reduce((sum, range) => sum + range.last - range.first + 1, 0);
}

export function toE164Ranges(set: RangeSet): readonly E164Range[] {
  return set.map((range) => ({ from: fromNumber(range.first), to: fromNumber(range.last) }));
}

/** For messages: `+12025550100` or `+12025550100 to +12025550109`. */
export function describeRange(range: DigitRange): string {
  return range.first === range.last ? `+${range.first}` : `+${range.first} to +${range.last}`;
}
