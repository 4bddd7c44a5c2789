import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isEmpty, plan } from "../../src/domain/plan.ts";

interface Item {
  readonly key: string;
  readonly value: number;
}
const by = {
  desiredKey: (item: Item) => item.key,
  actualKey: (item: Item) => item.key,
  equal: (desired: Item, actual: Item) => desired.value === actual.value,
};
const a1 = { key: "a", value: 1 };
const a2 = { key: "a", value: 2 };
const b1 = { key: "b", value: 1 };

describe("the plan for one item", () => {
  test.each([
    ["that is wanted and missing creates it", [a1], [], { create: [a1], update: [], delete: [], unchanged: [] }],
    ["that is wanted and differs updates it", [a2], [a1], { create: [], update: [{ desired: a2, actual: a1 }], delete: [], unchanged: [] }],
    ["that is as wanted does nothing", [a1], [a1], { create: [], update: [], delete: [], unchanged: [a1] }],
    ["that is not wanted deletes it", [], [a1], { create: [], update: [], delete: [a1], unchanged: [] }],
    ["next to another treats each on its own", [a1, b1], [a1], { create: [b1], update: [], delete: [], unchanged: [a1] }],
  ])("%s", (_, desired, actual, expected) => {
    expect(plan(desired, actual, by)).toEqual(expected);
  });
});

test("carrying out any plan makes the actual be the desired, and a second plan is empty", () => {
  const items = fc.uniqueArray(fc.record({ key: fc.constantFrom("a", "b", "c", "__proto__", "constructor"), value: fc.nat(2) }), { selector: (item) => item.key });
  fc.assert(
    fc.property(items, items, (desired, actual) => {
      const changes = plan(desired, actual, by);
      const result = [...changes.create, ...changes.unchanged, ...changes.update.map((update) => update.desired)];
      expect(new Map(result.map((item) => [item.key, item.value]))).toEqual(new Map(desired.map((item) => [item.key, item.value])));
      expect(isEmpty(plan(desired, result, by))).toBe(true);
    }),
  );
});
