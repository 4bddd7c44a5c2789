import { describe, expect, test } from "vitest";
import type { PoolSelector } from "../../src/domain/api.generated.ts";
import { attachments, matchesPoolSelector } from "../../src/domain/routing-rules.ts";
import { aPool, aRule } from "./builders.ts";

const labels = { tier: "gold", team: "" };

describe("a pool selector", () => {
  test.each<[string, PoolSelector, boolean]>([
    ["that is empty takes all", {}, true],
    ["takes an equal label", { matchLabels: { tier: "gold" } }, true],
    ["takes an empty value", { matchLabels: { team: "" } }, true],
    ["refuses another value", { matchLabels: { tier: "silver" } }, false],
    ["refuses a missing label", { matchLabels: { zone: "a" } }, false],
    ["wants all labels", { matchLabels: { tier: "gold", zone: "a" } }, false],
    ["In takes a listed value", { matchExpressions: [{ key: "tier", operator: "In", values: ["silver", "gold"] }] }, true],
    ["In refuses a missing label", { matchExpressions: [{ key: "zone", operator: "In", values: ["a"] }] }, false],
    ["NotIn refuses a listed value", { matchExpressions: [{ key: "tier", operator: "NotIn", values: ["gold"] }] }, false],
    ["NotIn takes a missing label", { matchExpressions: [{ key: "zone", operator: "NotIn", values: ["a"] }] }, true],
    ["Exists takes any value", { matchExpressions: [{ key: "team", operator: "Exists" }] }, true],
    ["Exists refuses a missing label", { matchExpressions: [{ key: "zone", operator: "Exists" }] }, false],
    ["DoesNotExist takes a missing label", { matchExpressions: [{ key: "zone", operator: "DoesNotExist" }] }, true],
    ["DoesNotExist refuses a label", { matchExpressions: [{ key: "tier", operator: "DoesNotExist" }] }, false],
    ["wants labels and expressions", { matchLabels: { tier: "gold" }, matchExpressions: [{ key: "tier", operator: "NotIn", values: ["gold"] }] }, false],
    ["does not take what every object inherits", { matchExpressions: [{ key: "constructor", operator: "Exists" }] }, false],
  ])("%s", (_, selector, expected) => {
    expect(matchesPoolSelector(selector, labels)).toBe(expected);
  });
});

describe("a rule is attached", () => {
  const pools = [aPool({}, { key: "shop/a", labels: { tier: "gold" } }), aPool({}, { key: "shop/b" }), aPool({}, { key: "other/c", labels: { tier: "gold" } })];

  test("by name, in its own namespace only, each pool once; what is missing is named", () => {
    const rule = aRule({ poolRefs: [{ name: "b" }, { name: "b" }, { name: "c" }] }, { key: "shop/rule" });
    expect(attachments(rule, pools)).toEqual({ attached: ["shop/b"], missing: ["shop/c"] });
  });

  test("by label, in its own namespace only", () => {
    const rule = aRule({ poolSelector: { matchLabels: { tier: "gold" } } }, { key: "shop/rule" });
    expect(attachments(rule, pools)).toEqual({ attached: ["shop/a"], missing: [] });
  });
});
