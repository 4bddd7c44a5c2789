import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { digitPatterns } from "../../src/domain/patterns.ts";
import { parseRange, type DigitRange } from "../../src/domain/ranges.ts";

const range = (from: string, to = from): DigitRange => parseRange({ from: `+${from}`, to: `+${to}` });

describe("simple cases take as few patterns as possible", () => {
  test.each([
    ["one number is its digits", [range("12025550100")], ["12025550100"]],
    ["a decade is one X", [range("12025550100", "12025550109")], ["1202555010X"]],
    ["a hundred is two X", [range("12025550100", "12025550199")], ["120255501XX"]],
    ["part of a decade is a class", [range("12025550102", "12025550105")], ["1202555010[2-5]"]],
    ["two neighbours need no dash", [range("12025550102", "12025550103")], ["1202555010[23]"]],
    ["several decades are one pattern", [range("12025550120", "12025550159")], ["120255501[2-5]X"]],
    ["scattered digits share a class", [range("12025550100"), range("12025550102", "12025550104"), range("12025550109")], ["1202555010[02-49]"]],
    ["equal parts of different blocks are one pattern", [range("12025550100", "12025550109"), range("12025550300", "12025550309")], ["12025550[13]0X"]],
    ["uneven ends cost one pattern each", [range("12025550095", "12025550204")], ["1202555009[5-9]", "120255501XX", "1202555020[0-4]"]],
    ["every tenth number is an X before a digit", Array.from({ length: 10 }, (_, i) => range(`120255501${i}5`)), ["120255501X5"]],
    ["a million numbers are one pattern", [range("12025000000", "12025999999")], ["12025XXXXXX"]],
    ["numbers of different length stay apart", [range("9999999"), range("10000000")], ["9999999", "10000000"]],
    ["ranges that touch are one", [range("12025550100", "12025550104"), range("12025550105", "12025550109")], ["1202555010X"]],
    ["nothing is nothing", [], []],
  ])("%s", (_, ranges, expected) => {
    expect(digitPatterns(ranges)).toEqual(expected);
  });
});

const toRegExp = (pattern: string): RegExp => new RegExp(`^${pattern.replaceAll("X", "[0-9]")}$`);

describe("patterns are exact", () => {
  const BASE = 1_000_000;
  const someRange = fc
    .tuple(fc.integer({ min: 0, max: 1300 }), fc.integer({ min: 0, max: 250 }))
    .map(([start, length]) => ({ first: BASE + start, last: BASE + start + length }));

  test("every number of the ranges matches one pattern, every other none", () => {
    fc.assert(
      fc.property(fc.array(someRange, { maxLength: 6 }), (ranges) => {
        const expressions = digitPatterns(ranges).map(toRegExp);
        for (let number = BASE; number <= BASE + 1600; number += 1) {
          const inside = ranges.some(({ first, last }) => first <= number && number <= last);
          const matches = expressions.filter((expression) => expression.test(String(number))).length;
          if (matches !== (inside ? 1 : 0)) throw new Error(`${number} matches ${matches} patterns of ${digitPatterns(ranges).join(" ")}`);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("across lengths and large blocks the patterns stand for as many numbers as the ranges hold, and for both ends", () => {
    const end = fc.integer({ min: 1_000_000, max: 999_999_999 });
    fc.assert(
      fc.property(end, end, (a, b) => {
        const digits = Math.min(String(a).length, String(b).length);
        const [x, y] = [Number(String(a).slice(0, digits)), Number(String(b).slice(0, digits))];
        const one = { first: Math.min(x, y), last: Math.max(x, y) };
        const patterns = digitPatterns([one]);
        expect(patterns.reduce((sum, pattern) => sum + sizeOf(pattern), 0)).toBe(one.last - one.first + 1);
        for (const [number, count] of [[one.first, 1], [one.last, 1], [one.first - 1, 0], [one.last + 1, 0]] as const) {
          expect(patterns.filter((pattern) => toRegExp(pattern).test(String(number)))).toHaveLength(count);
        }
      }),
    );
  });

  test("only digits, X and classes of digits are written", () => {
    fc.assert(
      fc.property(fc.array(someRange, { maxLength: 6 }), (ranges) => {
        for (const pattern of digitPatterns(ranges)) expect(pattern).toMatch(/^(?:[0-9X]|\[[0-9-]+\])+$/);
      }),
    );
  });
});

/** How many numbers a pattern stands for. */
function sizeOf(pattern: string): number {
  return [...pattern.matchAll(/\[[^\]]*\]|./g)].reduce((product, [part]) => {
    const digits = Array.from({ length: 10 }, (_, digit) => String(digit)).filter((digit) => toRegExp(part).test(digit)).length;
    return product * digits;
  }, 1);
}
