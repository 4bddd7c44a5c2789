import { digitsOf, normalise, type DigitRange, type RangeSet } from "./ranges.ts";

/**
 * The digit patterns of a set of numbers for Asterisk's extension matching
 * (https://docs.asterisk.org, "Pattern Matching"): literal digits, `X` for 0-9 and `[2-5]`; the caller writes the leading `_`
 * and, where the far end sends one, the "+".
 *
 * Each number of the set matches exactly one pattern, and no other number matches any. Digits that allow the same rest share
 * one pattern, so whole decades, hundreds and equal blocks become one line. A trie over the range ends is walked: at most
 * 10 steps a digit and range, and whole sub-trees are answered at once.
 *
 * @returns sorted by length, then by digits
 */
export function digitPatterns(ranges: readonly DigitRange[]): readonly string[] {
  const byLength = new Map<number, DigitRange[]>();
  for (const range of normalise(ranges)) {
    const length = digitsOf(range.first);
    const known = byLength.get(length);
    if (known === undefined) byLength.set(length, [range]);
    else known.push(range);
  }
  return [...byLength].sort(([a], [b]) => a - b).flatMap(([length, set]) => patternsOf(set, length));
}

/** Patterns of the numbers with `length` digits, leading zeros counted. */
function patternsOf(set: RangeSet, length: number): readonly string[] {
  const [only] = set;
  if (only === undefined) return [];
  // Most of the trie of scattered numbers hangs below branches with one number.
  if (set.length === 1 && only.first === only.last) return [String(only.first).padStart(length, "0")];
  const block = 10 ** (length - 1);
  if (set.length === 1 && only.first === 0 && only.last === 10 * block - 1) return ["X".repeat(length)];
  const digitsByRest = new Map<string, { digits: number[]; rest: readonly string[] }>();
  for (const [digit, residue] of byFirstDigit(set, block)) {
    const rest = length === 1 ? [""] : patternsOf(residue, length - 1);
    const key = rest.join("|");
    const group = digitsByRest.get(key);
    if (group === undefined) digitsByRest.set(key, { digits: [digit], rest });
    else group.digits.push(digit);
  }
  return [...digitsByRest.values()].flatMap(({ digits, rest }) => rest.map((tail) => `${digitClass(digits)}${tail}`));
}

/** The set cut at multiples of `block`, each piece with its first digit taken off; ascending digits. */
function byFirstDigit(set: RangeSet, block: number): ReadonlyMap<number, RangeSet> {
  const pieces = new Map<number, DigitRange[]>();
  for (const range of set) {
    const lastDigit = Math.floor(range.last / block);
    for (let digit = Math.floor(range.first / block); digit <= lastDigit; digit += 1) {
      const base = digit * block;
      const piece = { first: Math.max(range.first, base) - base, last: Math.min(range.last, base + block - 1) - base };
      const known = pieces.get(digit);
      if (known === undefined) pieces.set(digit, [piece]);
      else known.push(piece);
    }
  }
  return pieces;
}

/** `7`, `X`, `[19]`, `[2-5]`, `[0-37]`. `digits` ascending and distinct. */
function digitClass(digits: readonly number[]): string {
  if (digits.length === 10) return "X";
  if (digits.length === 1) return String(digits[0]);
  const runs: [number, number][] = [];
  for (const digit of digits) {
    const run = runs.at(-1);
    if (run?.[1] === digit - 1) run[1] = digit;
    else runs.push([digit, digit]);
  }
  const text = runs.map(([from, to]) => (to - from >= 2 ? `${from}-${to}` : from === to ? `${from}` : `${from}${to}`));
  return `[${text.join("")}]`;
}
