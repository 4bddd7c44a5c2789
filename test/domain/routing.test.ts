import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RoutingRuleMatch, RoutingRuleSpec } from "../../src/domain/api.generated.ts";
import type { RuleEntry } from "../../src/domain/ports.ts";
import { route } from "../../src/domain/routing.ts";
import { CallReason } from "../../src/domain/call-reasons.ts";
import { goByLiveCalls, rulesOf } from "../../src/domain/routing-rules.ts";
import type { CallFacts, RouteDecision } from "../../src/domain/types.ts";
import { aDestination, aPool, aRule, facts, tableOf } from "./builders.ts";

const pool = aPool();
const names = (decision: RouteDecision): string[][] => decision.groups.map((group) => group.map((attempt) => attempt.name));
const reasons = (decision: RouteDecision): string[] => decision.why.map((why) => why.reason);

describe("a call to a pool", () => {
  test("without rules goes to the pool's default destination", () => {
    expect(route(facts(), pool, [])).toEqual({
      outcome: "route",
      rule: null,
      groups: [[{ name: "default", destination: "+12025550199", trunk: "default/carrier", ringTimeoutSeconds: 60, maxConcurrentCalls: null, whisper: null }]],
      callerId: { type: "Tracking" },
      onBusy: "Stop",
      onNoAnswer: "Stop",
      earlyMedia: false,
      maxCallSeconds: 14_400,
      stickyFirst: false,
      whenFull: null,
      why: [
        {
          rule: null,
          matched: true,
          reason: "DefaultDestination",
          message: "the pool has no rules: the pool's default destination +12025550199 is called",
        },
      ],
    });
  });

  test("goes where the rule says, with all that the rule says", () => {
    const rule = aRule({
      destinations: [
        aDestination({ name: "desk", sipUri: "sip:desk@pbx.example.com", trunkRef: { name: "pbx" }, ringTimeoutSeconds: 12, whisper: { media: "sound:beep" } }),
        aDestination({ name: "mobile", maxConcurrentCalls: 3 }),
      ],
      callerId: { type: "Fixed", fixed: { number: "+12025550177" } },
      onBusy: "Next",
      onNoAnswer: "Stop",
      earlyMedia: "Pass",
      maxCallSeconds: 600,
    });
    expect(route(facts(), pool, [rule])).toEqual({
      outcome: "route",
      rule: "default/rule",
      groups: [
        [{ name: "desk", destination: "sip:desk@pbx.example.com", trunk: "default/pbx", ringTimeoutSeconds: 12, maxConcurrentCalls: null, whisper: "sound:beep" }],
        [{ name: "mobile", destination: "+12025550141", trunk: "default/carrier", ringTimeoutSeconds: 25, maxConcurrentCalls: 3, whisper: null }],
      ],
      callerId: { type: "Fixed", number: "+12025550177" },
      onBusy: "Next",
      onNoAnswer: "Stop",
      earlyMedia: true,
      maxCallSeconds: 600,
      stickyFirst: false,
      whenFull: { name: "default", destination: "+12025550199", trunk: "default/carrier", ringTimeoutSeconds: 60, maxConcurrentCalls: null, whisper: null },
      why: [{ rule: "default/rule", matched: true, reason: "Matched", message: "all conditions hold; Sequential: desk, then mobile" }],
    });
  });

  test("leaves through the default destination's own trunk, if it has one", () => {
    const other = aPool({ defaultDestination: { sipUri: "sip:reception@pbx.example.com", trunkRef: { name: "pbx" } } }, { key: "shop/sales" });
    expect(route(facts(), other, []).groups[0]![0]).toMatchObject({ destination: "sip:reception@pbx.example.com", trunk: "shop/pbx" });
  });

  test("is refused when the pool blocks the caller, whatever the rules say", () => {
    const decision = route(facts({ caller: "+19005550123" }), aPool({ blockedCallers: ["+44", "+1900"] }), [aRule()]);
    expect(decision).toMatchObject({ outcome: "refuse", rule: null, groups: [] });
    expect(decision.why).toEqual([
      { rule: null, matched: true, reason: "CallerBlocked", message: "pool default/sales refuses callers that begin with +1900; this one is +1900*******" },
    ]);
  });

  test.each([["+13125550123", "+1312*******"], ["+131255501", "+1312*****"]])("is not told whole by the one who is blocked by %s", (prefix, told) => {
    const [why] = route(facts({ caller: "+13125550123" }), aPool({ blockedCallers: [prefix] }), []).why;
    expect(why?.message).toBe(`pool default/sales refuses callers that begin with ${told}; this one is +1312*******`);
  });

  test("is not refused when the caller is withheld", () => {
    expect(route(facts({ caller: null }), aPool({ blockedCallers: ["+1"] }), []).outcome).toBe("route");
  });
});

describe("which rule is asked first", () => {
  const named = (key: string, priority: number, createdAt: string): RuleEntry => aRule({ priority }, { key, createdAt });
  const oldest = named("default/z", 5, "2026-01-01T00:00:00Z");
  test.each([
    ["the higher priority, though younger", [oldest, named("default/b", 6, "2026-05-01T00:00:00Z")], "default/b"],
    ["of equal priority the older", [named("default/a", 5, "2026-02-01T00:00:00Z"), oldest], "default/z"],
    ["of equal age the first by name", [oldest, named("default/y", 5, "2026-01-01T00:00:00Z")], "default/y"],
    ["only those attached to the pool", [aRule({ priority: 9 }, { key: "default/other", pools: ["default/support"] }), oldest], "default/z"],
  ])("%s", (_, rules, expected) => {
    expect(route(facts(), pool, rules).rule).toBe(expected);
    expect(route(facts(), pool, rulesOf(tableOf({ pools: [pool], rules }), pool.key)).rule).toBe(expected);
  });

  test("rules after the one that matches are not asked", () => {
    expect(route(facts(), pool, [oldest, named("default/y", 4, "2026-01-01T00:00:00Z")]).why).toHaveLength(1);
  });
});

type Match = Partial<RoutingRuleMatch>;
const context = (of: Partial<CallFacts["context"]>): CallFacts => facts({ context: of });
const berlinOffice = { timeZone: "Europe/Berlin", windows: [{ days: ["Monday"], from: "09:00", to: "15:00" }] } as const;

describe("a rule matches", () => {
  test.each<[string, Match, CallFacts]>([
    ["any call when it asks for nothing", {}, facts()],
    ["a caller by one of several prefixes", { callers: ["+44", "+1312"] }, facts()],
    ["a caller by the whole number", { callers: ["+13125550123"] }, facts()],
    ["within its schedule", { schedule: berlinOffice }, facts()],
    ["a media element shown earlier", { mediaElements: ["pricing", "footer"] }, context({ mediaElements: ["hero", "footer"] })],
    ["an attribute by value", { attributes: [{ name: "utm_source", type: "Equals", value: "news" }] }, context({ attributes: { utm_source: "news" } })],
    ["an attribute by prefix", { attributes: [{ name: "page", type: "Prefix", value: "/shop" }] }, context({ attributes: { page: "/shop/1" } })],
    ["an attribute by being there", { attributes: [{ name: "gclid", type: "Exists" }] }, context({ attributes: { gclid: "" } })],
    ["a repeat caller", { repeatCaller: "Only" }, context({ repeatCaller: true })],
    ["a first-time caller", { repeatCaller: "Never" }, facts()],
    ["an attribution", { attribution: ["Stale", "Exclusive"] }, facts()],
    ["a call that could not be looked up, if it says so", { attribution: ["Unavailable"] }, context({ attribution: "unavailable", prospect: null })],
  ])("%s", (_, match, call) => {
    expect(route(call, pool, [aRule({ match })]).why.map(({ rule, reason }) => [rule, reason])).toEqual([["default/rule", "Matched"]]);
  });
});

describe("a rule does not match, and says why", () => {
  test.each<[string, Match, CallFacts, CallReason, string]>([
    ["another prefix", { callers: ["+44", "+49"] }, facts(), "CallerPrefixDiffers", "caller +1312******* begins with none of +44, +49"],
    ["one other prefix", { callers: ["+44"] }, facts(), "CallerPrefixDiffers", "caller +1312******* begins with other digits than +44"],
    ["a caller who hides the number", { callers: ["+1"] }, facts({ caller: null }), "CallerWithheld", "the caller withholds the number"],
    [
      "outside its hours",
      { schedule: berlinOffice },
      facts({ at: new Date("2026-06-01T13:00:00Z") }),
      "OutsideSchedule",
      "Monday 2026-06-01 15:00 in Europe/Berlin is outside the weekly windows",
    ],
    [
      "on a holiday",
      { schedule: { ...berlinOffice, exceptionDates: [{ date: "2026-06-01" }] } },
      facts(),
      "ExceptionDate",
      "Monday 2026-06-01 14:00 in Europe/Berlin is an exception date and outside its windows",
    ],
    [
      "a time zone that this machine lacks: the call goes on",
      { schedule: { ...berlinOffice, timeZone: "Mars/Olympus" } },
      facts(),
      "UnknownTimeZone",
      "this router does not know the time zone Mars/Olympus",
    ],
    ["another media element", { mediaElements: ["pricing"] }, facts(), "MediaElementDiffers", "the number was shown with hero, not with any of pricing"],
    [
      "no media element",
      { mediaElements: ["pricing"] },
      context({ mediaElements: [] }),
      "MediaElementDiffers",
      "the number was shown with no media element, not with any of pricing",
    ],
    [
      "media elements of nobody",
      { mediaElements: ["hero"] },
      context({ prospect: null }),
      "NoProspect",
      "the rule asks about media elements, and no prospect is known for this call",
    ],
    [
      "attributes of nobody",
      { attributes: [{ name: "gclid", type: "Exists" }] },
      context({ prospect: null }),
      "NoProspect",
      "the rule asks about session attributes, and no prospect is known for this call",
    ],
    ["a missing attribute", { attributes: [{ name: "gclid", type: "Exists" }] }, facts(), "AttributeMissing", "the session has no attribute gclid"],
    [
      "an attribute that every object has",
      { attributes: [{ name: "constructor", type: "Exists" }] },
      facts(),
      "AttributeMissing",
      "the session has no attribute constructor",
    ],
    [
      "another value; upper case counts",
      { attributes: [{ name: "utm_source", type: "Equals", value: "news" }] },
      context({ attributes: { utm_source: "News" } }),
      "AttributeDiffers",
      'attribute utm_source "News" is not "news"',
    ],
    [
      "another prefix of a hostile value, which is escaped",
      { attributes: [{ name: "page", type: "Prefix", value: "/shop" }] },
      context({ attributes: { page: "\n\u0007" } }),
      "AttributeDiffers",
      'attribute page "\\n\\u0007" does not begin with "/shop"',
    ],
    [
      "one of two attributes",
      { attributes: [{ name: "a", type: "Exists" }, { name: "b", type: "Exists" }] },
      context({ attributes: { a: "1" } }),
      "AttributeMissing",
      "the session has no attribute b",
    ],
    ["a first-time caller", { repeatCaller: "Only" }, facts(), "FirstTimeCaller", "the rule wants callers who had an answered call to this pool before; this one is not known to have had one"],
    ["a repeat caller", { repeatCaller: "Never" }, context({ repeatCaller: true }), "RepeatCaller", "the rule wants callers without an answered call to this pool before; this one had one"],
    ["another attribution", { attribution: ["Stale", "None"] }, facts(), "AttributionDiffers", "the call's attribution is exclusive, none of Stale, None"],
  ])("%s", (_, match, call, ...[reason, message]) => {
    const decision = route(call, pool, [aRule({ match })]);
    expect(decision.rule).toBeNull();
    expect(decision.why[0]).toEqual({ rule: "default/rule", matched: false, reason, message });
    expect(decision.why[1]?.message).toBe("no rule matched: the pool's default destination +12025550199 is called");
  });

  test("no message shows a caller's number", () => {
    const rules = [aRule({ match: { callers: ["+44"] } }), aRule({ match: { repeatCaller: "Only" } }, { key: "default/b" })];
    expect(route(facts(), pool, rules).why.map(({ message }) => message).join("\n")).not.toContain("5550123");
  });
});

const three = ["a", "b", "c"].map((name, i) => aDestination({ name, number: `+1202555014${i}` }));
const ring = (spec: Partial<Omit<RoutingRuleSpec, "match">>, call: CallFacts = facts()): string[][] =>
  names(route(call, pool, [aRule({ destinations: three, ...spec })]));

describe("strategies", () => {
  test.each<[string, string[][], string[][]]>([
    ["Sequential keeps the order", ring({}), [["a"], ["b"], ["c"]]],
    ["Simultaneous rings all at once", ring({ strategy: "Simultaneous" }), [["a", "b", "c"]]],
    ["RoundRobin begins with the first", ring({ strategy: "RoundRobin" }), [["a"], ["b"], ["c"]]],
    ["RoundRobin goes on with the next", ring({ strategy: "RoundRobin" }, facts({ turns: { "default/rule": 4 } })), [["b"], ["c"], ["a"]]],
    ["RoundRobin bears any count", ring({ strategy: "RoundRobin" }, facts({ turns: { "default/rule": -1 } })), [["c"], ["a"], ["b"]]],
    ["LeastCalls begins with the idle", ring({ strategy: "LeastCalls" }, context({ liveCalls: { "+12025550140": 2, "+12025550141": 1 } })), [["c"], ["b"], ["a"]]],
    ["LeastCalls keeps the order among equals", ring({ strategy: "LeastCalls" }), [["a"], ["b"], ["c"]]],
    ["Weighted with the lowest random takes the first", ring({ strategy: "Weighted" }), [["a"], ["b"], ["c"]]],
    ["Weighted with the highest random takes the last", ring({ strategy: "Weighted" }, facts({ random: 0.999_999 })), [["c"], ["b"], ["a"]]],
  ])("%s", (_, groups, expected) => {
    expect(groups).toEqual(expected);
  });

  test("Weighted draws the first exactly in proportion, and the second among the others", () => {
    const weights = [6, 3, 1];
    const destinations = three.map((destination, i) => ({ ...destination, weight: weights[i]! }));
    const draws = Array.from({ length: 10_000 }, (_, i) => ring({ strategy: "Weighted", destinations }, facts({ random: (i + 0.5) / 10_000 })).flat().join(""));
    const share = (beginning: string): number => draws.filter((draw) => draw.startsWith(beginning)).length;
    expect([share("a"), share("b"), share("c")]).toEqual([6000, 3000, 1000]);
    expect([share("ab"), share("ac")]).toEqual([4500, 1500]);
  });

  test("every strategy, for any numbers, rings each destination that is not full exactly once", () => {
    const destination = fc.record({ weight: fc.integer({ min: 1, max: 1000 }), cap: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }), live: fc.nat(4) });
    const strategy = fc.constantFrom("Sequential", "Weighted", "RoundRobin", "Simultaneous", "LeastCalls");
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.array(destination, { minLength: 1, maxLength: 20 }), strategy, fc.tuple(random, fc.integer()), (list, kind, [chance, turn]) => {
        const destinations = list.map(({ weight, cap }, i) => {
          return aDestination({ name: `d${i}`, number: `+1202555${1000 + i}`, weight, ...(cap === undefined ? {} : { maxConcurrentCalls: cap }) });
        });
        const liveCalls = Object.fromEntries(list.map(({ live }, i) => [`+1202555${1000 + i}`, live]));
        const open = list.flatMap(({ cap, live }, i) => (cap === undefined || live < cap ? [`d${i}`] : []));
        const decision = route(facts({ random: chance, turns: { "default/rule": turn }, context: { liveCalls } }), pool, [aRule({ strategy: kind, destinations })]);
        expect(names(decision).flat().sort()).toEqual(open.length === 0 ? ["default"] : open.sort());
      }),
    );
  });
});

describe("destinations at their limit of calls", () => {
  const capped = three.map((destination) => ({ ...destination, maxConcurrentCalls: 2 }));

  test("are passed over, and it is said", () => {
    const decision = route(context({ liveCalls: { "+12025550140": 2, "+12025550141": 1 } }), pool, [aRule({ destinations: capped })]);
    expect(names(decision)).toEqual([["b"], ["c"]]);
    expect(decision.why[1]).toEqual({ rule: "default/rule", matched: true, reason: "DestinationFull", message: "destination a has 2 calls of at most 2: passed over" });
  });

  test("keep their turn in a round", () => {
    const call = facts({ turns: { "default/rule": 1 }, context: { liveCalls: { "+12025550140": 2 } } });
    expect(ring({ strategy: "RoundRobin", destinations: capped }, call)).toEqual([["b"], ["c"]]);
  });

  test("if all are, send the call to the default destination and not to a rule meant for others", () => {
    const full = context({ liveCalls: { "+12025550140": 2, "+12025550141": 3, "+12025550142": 2 } });
    const decision = route(full, pool, [aRule({ destinations: capped, priority: 1 }), aRule({}, { key: "default/later" })]);
    expect([decision.rule, names(decision)]).toEqual([null, [["default"]]]);
    expect(reasons(decision)).toEqual(["AllDestinationsFull", "DestinationFull", "DestinationFull", "DestinationFull", "DefaultDestination"]);
    expect(decision.why[0]).toEqual({ rule: "default/rule", matched: true, reason: "AllDestinationsFull", message: "the rule matched, but all 3 destinations are at their limit" });
    expect(decision.why.at(-1)?.message).toBe("all destinations of default/rule are at their limit: the pool's default destination +12025550199 is called");
  });
});

describe("a sticky caller", () => {
  const answeredBy = (lastAnsweredBy: string, liveCalls = {}): CallFacts => context({ lastAnsweredBy, liveCalls, repeatCaller: true });
  test.each<[string, string[][], string[][]]>([
    ["reaches who answered last first", ring({ stickyCaller: "Enabled" }, answeredBy("+12025550142")), [["c"], ["a"], ["b"]]],
    ["rings alone before all others ring together", ring({ stickyCaller: "Enabled", strategy: "Simultaneous" }, answeredBy("+12025550141")), [["b"], ["a", "c"]]],
    ["is treated as all others where the rule doesn't say so", ring({}, answeredBy("+12025550142")), [["a"], ["b"], ["c"]]],
    ["is treated as all others when who answered is not in the rule", ring({ stickyCaller: "Enabled" }, answeredBy("+12025550177")), [["a"], ["b"], ["c"]]],
    [
      "is treated as all others when who answered is full",
      ring({ stickyCaller: "Enabled", destinations: three.map((each) => ({ ...each, maxConcurrentCalls: 1 })) }, answeredBy("+12025550142", { "+12025550142": 1 })),
      [["a"], ["b"]],
    ],
  ])("%s", (_, groups, expected) => {
    expect(groups).toEqual(expected);
  });

  test("is explained", () => {
    const decision = route(answeredBy("+12025550142"), pool, [aRule({ stickyCaller: "Enabled", destinations: three })]);
    expect(decision.stickyFirst).toBe(true);
    expect(decision.why).toEqual([
      { rule: "default/rule", matched: true, reason: "Matched", message: "all conditions hold; Sequential: c, then a, then b" },
      { rule: "default/rule", matched: true, reason: "StickyCaller", message: "c answered this caller last and is rung first" },
    ]);
  });
});

describe("ten thousand rules", () => {
  const rules = Array.from({ length: 10_000 }, (_, i) => {
    const key = `default/r${String(i).padStart(5, "0")}`;
    return aRule({ priority: i, match: { callers: [`+44${i}`], schedule: berlinOffice } }, { key });
  });
  const compiled = tableOf({ pools: [pool], rules: [...rules, aRule({ priority: 0 }, { key: "default/zz-last" })] });

  test("are sorted once, asked in order, and listed up to a bound", () => {
    const sorted = rulesOf(compiled, pool.key);
    expect(rulesOf(compiled, pool.key)).toBe(sorted);
    const decision = route(facts(), pool, sorted);
    expect(decision.rule).toBe("default/zz-last");
    expect(decision.why).toHaveLength(102);
    expect(decision.why[0]).toMatchObject({ rule: "default/r09999", reason: "CallerPrefixDiffers" });
    expect(decision.why[100]).toEqual({ rule: null, matched: false, reason: "MoreRulesDiffer", message: "9900 more rules did not match" });
    expect(route(facts(), pool, sorted, Infinity).why).toHaveLength(10_001);
  });

  test("that name a pool twice are asked once", () => {
    const twice = aRule({}, { pools: [pool.key, pool.key] });
    expect(rulesOf(tableOf({ pools: [pool], rules: [twice] }), pool.key)).toEqual([twice]);
  });

  test("of other pools cost nothing", () => {
    expect(rulesOf(compiled, "default/unknown")).toEqual([]);
  });
});

test("every reason is its own name", () => {
  for (const [name, value] of Object.entries(CallReason)) expect(value).toBe(name);
});

test.each([
  ["not where none has a limit", [aRule(), aRule({ strategy: "Weighted" }), aRule({ strategy: "RoundRobin" })], false],
  ["for the least busy", [aRule(), aRule({ strategy: "LeastCalls" })], true],
  ["for a limit", [aRule({ destinations: [aDestination(), aDestination({ name: "b", maxConcurrentCalls: 2 })] })], true],
] as const)("rules go by calls in progress %s", (_, rules, expected) => {
  expect(goByLiveCalls(rules)).toBe(expected);
});
