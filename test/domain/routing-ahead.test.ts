import fc from "fast-check";
import { expect, test } from "vitest";

import type { RoutingRuleSpec } from "../../src/domain/api.generated.ts";
import { route } from "../../src/domain/routing.ts";
import { routeAhead } from "../../src/domain/routing-ahead.ts";
import type { CallContext } from "../../src/domain/types.ts";
import { aDestination, aPool, aRule, facts } from "./builders.ts";

type Spec = NonNullable<Parameters<typeof aRule>[0]>;

const pool = aPool();
const nobodyKnown = { ...facts(), context: null, turns: {} };
const allDay = { timeZone: "Europe/Berlin", windows: [{ days: ["Monday"], from: "00:00", to: "24:00" }] } as const;
const two = [aDestination({ name: "a", number: "+12025550140" }), aDestination({ name: "b", number: "+12025550141" })];

function ahead(...specs: readonly Spec[]) {
  return routeAhead(nobodyKnown, pool, specs.map((spec, index) => aRule(spec, { key: `default/r${index}` })));
}

test.each<readonly [string, readonly Spec[], string | null]>([
  ["no rules", [], null],
  ["a rule for everybody", [{}], "default/r0"],
  ["the caller's prefix", [{ match: { callers: ["+1"] } }], "default/r0"],
  ["the hour", [{ match: { schedule: allDay } }], "default/r0"],
  ["weights", [{ strategy: "Weighted", destinations: two }], "default/r0"],
  ["all destinations at once", [{ strategy: "Simultaneous", destinations: two }], "default/r0"],
  ["a rule that matches before one that asks who calls", [{ priority: 1 }, { match: { attribution: ["Exclusive"] } }], "default/r0"],
  ["a rule that asks who calls, of other callers", [{ match: { callers: ["+49"], attribution: ["Exclusive"] } }, {}], "default/r1"],
])("decides at once by %s", (_name, specs, rule) => {
  expect(ahead(...specs)).toMatchObject({ rule });
});

test("a blocked caller is refused at once", () => {
  expect(routeAhead(nobodyKnown, aPool({ blockedCallers: ["+1312"] }), [])).toMatchObject({ outcome: "refuse" });
});

test.each<readonly [string, Spec]>([
  ["the attribution", { match: { attribution: ["None"] } }],
  ["media elements", { match: { mediaElements: ["hero"] } }],
  ["attributes", { match: { attributes: [{ name: "utm_source", type: "Exists" }] } }],
  ["callers who called before", { match: { repeatCaller: "Only" } }],
  ["callers who never called", { match: { repeatCaller: "Never" } }],
  ["who answered last", { stickyCaller: "Enabled" }],
  ["who has the fewest calls", { strategy: "LeastCalls", destinations: two }],
  ["a limit of calls", { destinations: [aDestination({ maxConcurrentCalls: 2 })] }],
])("waits for the database where a rule goes by %s", (_name, spec) => {
  expect(ahead(spec)).toEqual({ awaits: "context" });
});

const turning = { strategy: "RoundRobin", destinations: two } as const;

test("waits for the turn of the rule that takes the call, and of no other", () => {
  expect(ahead({ match: { callers: ["+49"] }, ...turning }, turning, { ...turning })).toEqual({ awaits: "turn", rule: "default/r1" });
  const busy = turning.destinations.map((destination) => ({ ...destination, maxConcurrentCalls: 1 }));
  const full = facts({ context: { liveCalls: { "+12025550140": 1, "+12025550141": 1 } } });
  expect(routeAhead({ ...full, turns: {} }, pool, [aRule({ ...turning, destinations: busy })])).toMatchObject({ rule: null });
});

test("asks who calls before it asks whose turn it is", () => {
  const rules = [aRule({ ...turning, match: { attribution: ["Exclusive"] } })];
  expect(routeAhead(nobodyKnown, pool, rules)).toEqual({ awaits: "context" });
  const context = facts({ context: { attribution: "exclusive" } }).context;
  expect(routeAhead({ ...nobodyKnown, context }, pool, rules)).toEqual({ awaits: "turn", rule: "default/rule" });
  expect(routeAhead({ ...nobodyKnown, context, turns: { "default/rule": 1 } }, pool, rules)).toMatchObject({ rule: "default/rule", groups: [[{ name: "b" }], [{ name: "a" }]] });
});

test("asks first who calls where a turning rule goes by who answered last: that is asked while the claim is on its way", () => {
  expect(ahead({ ...turning, stickyCaller: "Enabled" })).toEqual({ awaits: "context" });
});

const match = fc.record(
  {
    callers: fc.constantFrom(["+1"], ["+49"]),
    attribution: fc.constantFrom<NonNullable<RoutingRuleSpec["match"]["attribution"]>>(["Exclusive"], ["None", "Stale"]),
    mediaElements: fc.constantFrom(["hero"], ["footer"]),
    attributes: fc.constant([{ name: "utm_source", type: "Equals" as const, value: "search" }]),
    repeatCaller: fc.constantFrom("Any" as const, "Only" as const, "Never" as const),
  },
  { requiredKeys: ["repeatCaller"] },
);
const spec: fc.Arbitrary<Spec> = fc.record({
  match,
  priority: fc.nat(3),
  strategy: fc.constantFrom("Sequential", "Weighted", "RoundRobin", "Simultaneous", "LeastCalls"),
  stickyCaller: fc.constantFrom("Enabled", "Disabled"),
  destinations: fc.constantFrom(two, two.map((destination) => ({ ...destination, maxConcurrentCalls: 1 }))),
});
const context: fc.Arbitrary<Partial<CallContext>> = fc.record({
  attribution: fc.constantFrom("exclusive", "none", "stale", "unavailable"),
  mediaElements: fc.constantFrom(["hero"], []),
  attributes: fc.constantFrom({ utm_source: "search" }, {}),
  repeatCaller: fc.boolean(),
  lastAnsweredBy: fc.constantFrom(null, "+12025550141"),
  liveCalls: fc.constantFrom({}, { "+12025550140": 1 }),
});

test("what is decided at once is what would have been decided, whoever calls and whosever turn it is", () => {
  let atOnce = 0;
  fc.assert(
    fc.property(fc.array(spec, { maxLength: 4 }), context, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.nat(5), (specs, of, random, turn) => {
      const rules = specs.map((each, index) => aRule(each, { key: `default/r${index}` }));
      const decision = routeAhead({ ...nobodyKnown, random }, pool, rules);
      if ("awaits" in decision) return;
      atOnce += 1;
      const turns = Object.fromEntries(rules.map(({ key }) => [key, turn]));
      expect(decision).toEqual(route(facts({ random, turns, context: of }), pool, rules));
    }),
    { numRuns: 2_000 },
  );
  expect(atOnce).toBeGreaterThan(100);
});

test("a rule that can't be asked fails as it would with everything known", () => {
  const broken = aRule({}, {});
  const throwing = { ...broken, spec: { ...broken.spec, get match(): never { throw new Error("broken"); } } };
  expect(() => routeAhead(nobodyKnown, pool, [throwing])).toThrow("broken");
});
