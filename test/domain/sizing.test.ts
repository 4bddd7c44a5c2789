import { describe, expect, test } from "vitest";
import { erlangB, numbersNeeded, offeredFromCarried, offeredLoad, sizeForDemand } from "../../src/domain/sizing.ts";

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

test.each([1, 2, 10, 100, 1_000, 20_000])("the series is the recurrence of Erlang's loss formula, for %d numbers", (numbers) => {
  for (const load of [0.001, 0.5, 0.9, 0.999, 1, 1.001, 1.5, 20].map((share) => share * numbers)) {
    let blocking = 1;
    for (let n = 1; n <= numbers; n += 1) blocking = (load * blocking) / (n + load * blocking);
    expect(erlangB(load, numbers) / Math.max(blocking, Number.MIN_VALUE)).toBeCloseTo(blocking === 0 ? 0 : 1, 8);
  }
});

describe("edges", () => {
  test.each([
    ["without numbers everybody is lost", erlangB(5, 0), 1],
    ["without load nobody is", erlangB(0, 3), 0],
    ["one number and one erlang: half", erlangB(1, 1), 0.5],
    ["a pool that is hardly used needs one number", numbersNeeded(0), 1],
    ["a nonsensical load needs one number", numbersNeeded(Number.NaN), 1],
    ["a hundred visitors an hour, 70 minutes each", offeredLoad(100, { visitSeconds: 1500, leaseSeconds: 1800, cooldownSeconds: 900 }), 350 / 3],
  ])("%s", (_, actual, expected) => {
    expect(actual).toBeCloseTo(expected, 10);
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

describe("the size for what was measured", () => {
  const assignment = { leaseSeconds: 1800, cooldownSeconds: 900 };
  const busy = { arrivalsPerHour: 100, visitSeconds: 1500 };
  test.each([
    ["of a pool that was large enough is the table's", sizeForDemand(busy, assignment, 1000), 135],
    ["of a pool that was never busy enough to measure is not known", sizeForDemand(undefined, assignment, 10), null],
    ["of a pool without numbers is not known", sizeForDemand(busy, assignment, 0), null],
  ])("%s", (_, actual, expected) => {
    expect(actual).toBe(expected);
  });

  test("counts those who found none free: 116.7 erlang offered to 110 numbers ask for 135", () => {
    const carried = (350 / 3) * (1 - erlangB(350 / 3, 110));
    expect(offeredFromCarried(carried, 110)).toBeCloseTo(350 / 3, 3);
    expect(sizeForDemand({ ...busy, arrivalsPerHour: (carried / (350 / 3)) * 100 }, assignment, 110)).toBe(135);
  });

  test("grows by steps of no more than double what a full pool tells", () => {
    expect(offeredFromCarried(10, 10)).toBeCloseTo(20, 6);
  });
});
