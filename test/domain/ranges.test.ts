import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ExpectedError } from "../../src/domain/errors.ts";
import {
  contains, count, describeRange, digitsOf, fromNumber, normalise, parseRange, subtract, toE164Ranges, toNumber, union,
  type DigitRange, type RangeSet,
} from "../../src/domain/ranges.ts";
import { e164 } from "./builders.ts";

// A small universe, so that sets of numbers can be compared with the ranges.
const BASE = 12_025_550_000;
const SIZE = 60;
const universe = Array.from({ length: SIZE }, (_, i) => BASE + i);
const someRange = fc.tuple(fc.nat(SIZE - 1), fc.nat(SIZE - 1)).map(([a, b]) => ({ first: BASE + Math.min(a, b), last: BASE + Math.max(a, b) }));
const someRanges = fc.array(someRange, { maxLength: 12 });
const numbersIn = (ranges: readonly DigitRange[]): Set<number> =>
  new Set(universe.filter((number) => ranges.some(({ first, last }) => first <= number && number <= last)));

function isNormal(set: RangeSet): boolean {
  return set.every((range, i) => range.first <= range.last && (i === 0 || set[i - 1]!.last + 1 < range.first));
}

describe("set operations agree with sets of single numbers", () => {
  test("normalise keeps exactly the numbers, sorted, disjoint and joined", () => {
    fc.assert(
      fc.property(someRanges, (ranges) => {
        const set = normalise(ranges);
        expect(isNormal(set)).toBe(true);
        expect(numbersIn(set)).toEqual(numbersIn(ranges));
        expect(count(set)).toBe(numbersIn(ranges).size);
      }),
    );
  });

  test("union and difference hold what those of the sets hold", () => {
    fc.assert(
      fc.property(someRanges, someRanges, (left, right) => {
        const [a, b] = [normalise(left), normalise(right)];
        const [inA, inB] = [numbersIn(left), numbersIn(right)];
        for (const result of [union(a, b), subtract(a, b)]) expect(isNormal(result)).toBe(true);
        const where = (holds: (number: number) => boolean): Set<number> => new Set(universe.filter(holds));
        expect(numbersIn(union(a, b))).toEqual(where((number) => inA.has(number) || inB.has(number)));
        expect(numbersIn(subtract(a, b))).toEqual(where((number) => inA.has(number) && !inB.has(number)));
      }),
    );
  });

  test("contains finds every number and no other", () => {
    fc.assert(
      fc.property(someRanges, (ranges) => {
        const set = normalise(ranges);
        const inside = numbersIn(ranges);
        for (const number of universe) expect(contains(set, number)).toBe(inside.has(number));
      }),
    );
  });
});

describe("numbers of different length", () => {
  test("are neighbours in value but never one range", () => {
    const set = normalise([{ first: 9_999_990, last: 9_999_999 }, { first: 10_000_000, last: 10_000_009 }]);
    expect(set).toHaveLength(2);
    expect(set.every((range) => digitsOf(range.first) === digitsOf(range.last))).toBe(true);
  });

  test("fifteen digits are exact", () => {
    const last = toNumber(e164("+999999999999999"));
    expect(fromNumber(last)).toBe("+999999999999999");
    expect(fromNumber(last - 1)).toBe("+999999999999998");
    expect(count([{ first: last - 1, last }])).toBe(2);
  });
});

describe("parseRange", () => {
  test.each([
    ["an end before the start", { from: "+12025550109", to: "+12025550100" }, "r.to", "r.to: must not be below `from`"],
    ["ends of different length", { from: "+12025550100", to: "+120255501000" }, "r.to", "r.to: must have as many digits as `from`"],
    ["no number in from", { from: "12025550100", to: "+12025550100" }, "r.from", 'r.from: must be "+" and 7 to 15 digits, the first not 0'],
    ["no number in to", { from: "+12025550100", to: "" }, "r.to", 'r.to: must be "+" and 7 to 15 digits, the first not 0'],
  ])("%s is refused by name", (_, range, field, message) => {
    let thrown: unknown;
    try {
      parseRange(range, "r");
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ExpectedError);
    expect(thrown).toMatchObject({ code: "InvalidInput", field, message });
  });

  test("a range goes there and back", () => {
    const range = parseRange({ from: "+12025550100", to: "+12025550109" });
    expect(range).toEqual({ first: 12_025_550_100, last: 12_025_550_109 });
    expect(toE164Ranges([range])).toEqual([{ from: "+12025550100", to: "+12025550109" }]);
    expect(describeRange(range)).toBe("+12025550100 to +12025550109");
    expect(describeRange({ first: range.first, last: range.first })).toBe("+12025550100");
  });
});

test("what is no number is not made one", () => {
  expect(() => fromNumber(12)).toThrow("12 is not an E.164 number");
});

test("thousands of ranges are no problem", () => {
  const a = normalise(Array.from({ length: 20_000 }, (_, i) => ({ first: BASE + i * 10, last: BASE + i * 10 + 4 })));
  const b = normalise(Array.from({ length: 20_000 }, (_, i) => ({ first: BASE + i * 10 + 3, last: BASE + i * 10 + 6 })));
  expect(count(subtract(a, b))).toBe(60_000);
  expect(count(union(a, b))).toBe(140_000);
});
