import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Shared } from "../../src/domain/shared-values.ts";

describe("Shared", () => {
  test("equal values become one object, whole and in parts", () => {
    const shared = new Shared();
    const first = shared.of({ conditions: [{ type: "Ready", status: "True" }], pools: [{ name: "sales" }] });
    const second = shared.of({ conditions: [{ type: "Ready", status: "True" }], pools: [{ name: "sales" }] });
    const third = shared.of({ conditions: [{ type: "Ready", status: "True" }], pools: [{ name: "support" }] });
    expect(second).toBe(first);
    expect(third).not.toBe(first);
    expect(third.conditions).toBe(first.conditions);
    expect(third.pools).not.toBe(first.pools);
  });

  test("says what it was given, whatever that is, with itself unchanged", () => {
    const shared = new Shared();
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const before = structuredClone(value);
        expect(JSON.stringify(shared.of(value))).toBe(JSON.stringify(before));
        expect(value).toStrictEqual(before);
      }),
    );
  });

  test("forgets when it holds too much, and goes on sharing", () => {
    const shared = new Shared();
    const before = shared.of({ number: 0 });
    for (let number = 1; number <= 5_000; number += 1) shared.of({ number });
    expect(shared.of({ number: 0 })).not.toBe(before);
    expect(shared.of({ number: 0 })).toBe(shared.of({ number: 0 }));
  });
});
