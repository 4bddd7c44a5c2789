import { describe, expect, test } from "vitest";
import { erlangB, numbersNeeded, offeredLoad, recommendedSize } from "../../src/domain/sizing.ts";

describe("numbers needed for a load, by published Erlang B tables", () => {
  test.each([
    [10, 0.05, 15],
    [10, 0.01, 18],
    [10, 0.001, 21],
    [116.7, 0.05, 121],
    [116.7, 0.01, 135],
    [116.7, 0.001, 147],
    [500, 0.05, 489],
    [500, 0.01, 527],
    [500, 0.001, 555],
  ])("%d erlang at a blocking of %d need %d", (load, blocking, numbers) => {
    expect(numbersNeeded(load, blocking)).toBe(numbers);
    expect(erlangB(load, numbers)).toBeLessThanOrEqual(blocking);
    expect(erlangB(load, numbers - 1)).toBeGreaterThan(blocking);
  });
});

describe("edges", () => {
  test.each([
    ["without numbers everybody is lost", erlangB(5, 0), 1],
    ["without load nobody is", erlangB(0, 3), 0],
    ["one number and one erlang: half", erlangB(1, 1), 0.5],
    ["a pool that is hardly used needs one number", numbersNeeded(0), 1],
    ["a nonsensical load needs one number", numbersNeeded(Number.NaN), 1],
    ["nothing measured, nothing recommended", recommendedSize(null, { visitSeconds: 60, leaseSeconds: 1800, cooldownSeconds: 900 }), null],
    ["a hundred visitors an hour, 70 minutes each", offeredLoad(100, { visitSeconds: 1500, leaseSeconds: 1800, cooldownSeconds: 900 }), 350 / 3],
    ["which needs 135 numbers", recommendedSize(100, { visitSeconds: 1500, leaseSeconds: 1800, cooldownSeconds: 900 }), 135],
  ])("%s", (_, actual, expected) => {
    if (expected === null || actual === null) expect(actual).toBe(expected);
    else expect(actual).toBeCloseTo(expected, 10);
  });

  test("a million erlang neither overflow nor lose their digits", () => {
    const numbers = numbersNeeded(1_000_000);
    expect(numbers).toBeGreaterThan(980_000);
    expect(numbers).toBeLessThan(1_010_000);
  });

  test("no blocking at all cannot be had", () => {
    expect(() => numbersNeeded(10, 0)).toThrow("blocking must be above 0, not 0");
  });
});
