import { describe, expect, test } from "vitest";
import type { Condition } from "../../src/domain/api.generated.ts";
import { poolConditions, type PoolFacts, type Programming, ruleConditions, type RuleFacts, rulePoolStatuses, terminatingConditions, trunkConditions, type TrunkFacts, unprotectedConditions } from "../../src/domain/conditions-kinds.ts";
import { ConditionReason, setCondition } from "../../src/domain/conditions.ts";
import { resolveOwnership } from "../../src/domain/ownership.ts";
import { aPool } from "./builders.ts";

const now = new Date("2026-06-01T12:00:00.123Z");
const later = new Date("2026-06-01T13:00:00Z");
const running: Programming = { revision: "abcdef0123456789", readyPods: 3, pods: 3, error: null };
const common = { generation: 2, now, previous: [], problems: [], warnings: [], missing: [], unusable: [], terminating: [], programming: running };

const holder = aPool({}, { key: "default/older" });
const loser = aPool({ ranges: [{ from: "+12025550109", to: "+12025550118" }] }, { key: "default/younger", createdAt: "2026-02-01T00:00:00Z" });
const ownership = resolveOwnership([holder, loser]);
const pool = (of: Partial<PoolFacts> = {}): readonly Condition[] => poolConditions({ ...common, ownership: ownership.get("default/older")!, ...of });
const rule = (of: Partial<RuleFacts> = {}): readonly Condition[] => ruleConditions({ ...common, pools: [{ key: "default/sales", accepted: true, inService: true }], ...of });
const trunk = (of: Partial<TrunkFacts> = {}): readonly Condition[] => trunkConditions({ ...common, secret: null, sources: [], reachability: ["Reachable", "Unreachable"], registrations: null, ...of });
const summary = (conditions: readonly Condition[]): string[] => conditions.map(({ type, status, reason }) => `${type}=${status}/${reason}`);
const message = (conditions: readonly Condition[], type: string): string | undefined => conditions.find((condition) => condition.type === type)?.message;

describe("conditions of a pool", () => {
  test.each([
    ["that is in service", pool(), ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs", "Programmed=True/Programmed", "Ready=True/Ready"], "10 numbers are in service"],
    [
      "whose numbers an older one holds in part; the rest is programmed",
      pool({ ownership: ownership.get("default/younger")! }),
      ["Accepted=False/NumberConflict", "ResolvedRefs=True/ResolvedRefs", "Programmed=True/Programmed", "Ready=False/NumberConflict"],
      "+12025550109 belongs to the older pool default/older; 9 of 10 numbers stay in service",
    ],
    [
      "that makes no sense",
      pool({ problems: ["spec.defaultDestination.number: must not belong to the pool", "spec.numbers[1]: must be a number of some country"] }),
      ["Accepted=False/Invalid", "ResolvedRefs=True/ResolvedRefs", "Programmed=False/NotAccepted", "Ready=False/Invalid"],
      "spec.defaultDestination.number: must not belong to the pool; spec.numbers[1]: must be a number of some country",
    ],
    [
      "whose trunk is missing",
      pool({ missing: ["SipTrunk default/carrier"] }),
      ["Accepted=True/Accepted", "ResolvedRefs=False/RefNotFound", "Programmed=False/RefsNotResolved", "Ready=False/RefNotFound"],
      "SipTrunk default/carrier does not exist",
    ],
    [
      "whose trunk is there and can't be used",
      pool({ unusable: ["SipTrunk default/carrier"] }),
      ["Accepted=True/Accepted", "ResolvedRefs=False/RefNotUsable", "Programmed=False/RefsNotResolved", "Ready=False/RefNotUsable"],
      "SipTrunk default/carrier can't be used; see its conditions",
    ],
    [
      "of whose trunks one is missing and one can't be used",
      pool({ missing: ["SipTrunk default/a"], unusable: ["SipTrunk default/b"] }),
      ["Accepted=True/Accepted", "ResolvedRefs=False/RefNotFound", "Programmed=False/RefsNotResolved", "Ready=False/RefNotFound"],
      "SipTrunk default/a does not exist; SipTrunk default/b can't be used; see its conditions",
    ],
    [
      "that one pod doesn't run yet",
      pool({ programming: { ...running, readyPods: 2 } }),
      ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs", "Programmed=False/Pending", "Ready=False/Pending"],
      "2 of 3 pods run revision abcdef012345",
    ],
    [
      "that a pod can't load",
      pool({ programming: { ...running, readyPods: 2, error: "marker not found" } }),
      ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs", "Programmed=False/ProgrammingFailed", "Ready=False/ProgrammingFailed"],
      "2 of 3 pods run revision abcdef012345: marker not found",
    ],
    [
      "without any pod",
      pool({ programming: { ...running, readyPods: 0, pods: 0 } }),
      ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs", "Programmed=Unknown/NoPods", "Ready=Unknown/NoPods"],
      "no Asterisk pod has reported",
    ],
    [
      "before its first revision",
      pool({ programming: { revision: null, readyPods: 0, pods: 3, error: null } }),
      ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs", "Programmed=False/Pending", "Ready=False/Pending"],
      "no revision with it has been made yet",
    ],
  ])("%s", (_, conditions, expected, ready) => {
    expect(summary(conditions)).toEqual(expected);
    expect(message(conditions, "Ready")).toBe(ready);
  });
});

describe("conditions of a rule", () => {
  test.each([
    ["that routes", rule(), "Ready=True/Ready", "routes calls of 1 pools"],
    ["whose pools are missing", rule({ pools: [], missing: ["NumberPool default/a", "SipTrunk default/b"] }), "Ready=False/RefNotFound", "these do not exist: NumberPool default/a, SipTrunk default/b"],
    [
      "none of whose pools is in service",
      rule({ pools: [{ key: "default/a", accepted: false, inService: false }, { key: "default/b", accepted: false, inService: false }] }),
      "Ready=False/PoolNotAccepted",
      "not in the pods: no NumberPool that it is for is in service: default/a, default/b",
    ],
    ["one of whose pools is in service", rule({ pools: [{ key: "default/a", accepted: true, inService: true }, { key: "default/b", accepted: false, inService: false }] }), "Ready=True/Ready", "routes calls of 1 pools"],
    ["whose selector takes no pool", rule({ pools: [] }), "Ready=False/NoMatchingPools", "no NumberPool of the namespace matches poolSelector"],
    ["whose pool is being deleted", rule({ pools: [], terminating: ["NumberPool default/a"] }), "Ready=False/RefNotUsable", "NumberPool default/a is being deleted"],
    ["that makes no sense", rule({ problems: ["spec.match.schedule.timeZone: must be an IANA name"] }), "Ready=False/Invalid", "spec.match.schedule.timeZone: must be an IANA name"],
  ])("%s", (_, conditions, ready, words) => {
    expect(summary(conditions).at(-1)).toBe(ready);
    expect(message(conditions, "Ready")).toBe(words);
  });

  test("name each pool, and keep the time since when", () => {
    const rules: RuleFacts = { ...common, pools: [{ key: "default/a", accepted: true, inService: true }, { key: "default/b", accepted: false, inService: false }] };
    const statuses = rulePoolStatuses(rules, []);
    expect(statuses.map(({ name, conditions }) => [name, ...summary(conditions ?? [])])).toEqual([
      ["a", "Accepted=True/Accepted"],
      ["b", "Accepted=False/PoolNotAccepted"],
    ]);
    expect(rulePoolStatuses({ ...rules, now: later }, statuses)).toEqual(statuses);
  });
});

describe("conditions of an object that takes no part", () => {
  const facts = { generation: 3, now: later, previous: pool() };

  test("a pool that may not have its finalizer says why, and that its numbers are not guarded", () => {
    const said = unprotectedConditions(facts, "dialplane.io/numbers", "denied by policy");
    expect(summary(said)).toEqual(["Accepted=False/Unprotected", "Programmed=False/NotAccepted", "Ready=False/Unprotected"]);
    expect(message(said, "Ready")).toBe("out of service until the finalizer dialplane.io/numbers can be put on it: denied by policy");
    expect(message(said, "Programmed")).toBe("not sent to the pods: its numbers are not guarded");
  });

  test.each([
    ["by us", { ours: "take it out of service", others: [] }, "being deleted; waits for the operator to take it out of service"],
    ["by others", { ours: null, others: ["a.example/b", "foregroundDeletion"] }, "being deleted; waits for whoever set the finalizer a.example/b to take it off, and for whoever set the finalizer foregroundDeletion to take it off"],
    ["by both", { ours: "take it out of service and delete its history", others: ["a.example/b"] }, "being deleted; waits for the operator to take it out of service and delete its history, and for whoever set the finalizer a.example/b to take it off"],
    ["by nobody", { ours: null, others: [] }, "being deleted"],
  ])("one that is being deleted and held %s says so, and nothing new of its specification", (_, departure, words) => {
    const said = terminatingConditions(facts, departure);
    expect(summary(said)).toEqual(["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs", "Programmed=False/Terminating", "Ready=False/Terminating"]);
    expect(message(said, "Ready")).toBe(words);
    expect(said.map(({ observedGeneration }) => observedGeneration)).toEqual([2, 2, 3, 3]);
    expect(terminatingConditions({ ...facts, previous: said, now: new Date("2026-06-02T00:00:00Z") }, departure)).toEqual(said);
  });
});

describe("the status of a rule that takes a thousand pools", () => {
  const aName = (n: number) => `default/${String(n).padStart(63, "x")}`;
  const large = (of: Partial<RuleFacts>): RuleFacts => ({ ...common, pools: Array.from({ length: 1_003 }, (_, n) => ({ key: aName(n), accepted: n % 2 === 0, inService: true })), ...of });

  test.each<[string, Partial<RuleFacts>]>([
    ["that routes", {}],
    ["that makes no sense in many ways", { problems: Array.from({ length: 1_000 }, (_, n) => `spec.destinations[${n}].sipUri: must not be something that takes many words`) }],
  ])("%s, is far from what an API server can store", (_what, of) => {
    const facts = large(of);
    const pools = rulePoolStatuses(facts, []);
    expect(pools).toHaveLength(1_000);
    expect(JSON.stringify({ pools, conditions: ruleConditions(facts) }).length).toBeLessThan(500_000);
  });

  test("says in short of each pool that the rule is not accepted", () => {
    const [first] = rulePoolStatuses(large({ problems: ["spec.destinations[0].sipUri: must be better"] }), []);
    expect(first?.conditions).toMatchObject([{ status: "False", reason: "Invalid", message: "the rule is not accepted; see its own conditions" }]);
  });
});

describe("conditions of a trunk", () => {
  test.each([
    ["that answers one pod", trunk(), ["Reachable=True/Reachable", "Ready=True/Ready"], "the trunk can be used"],
    ["that answers none", trunk({ reachability: ["Unreachable", "Unknown"] }), ["Reachable=False/Unreachable", "Ready=False/Unreachable"], "the carrier answers 0 of 2 pods"],
    ["that nobody watches can be used all the same", trunk({ reachability: [] }), ["Reachable=Unknown/NotMeasured", "Ready=True/Ready"], "the trunk can be used"],
    ["that registered one pod", trunk({ registrations: ["Refused", "Registered"] }), ["Registered=True/Registered", "Ready=True/Ready"], "the trunk can be used"],
    [
      "that registered none",
      trunk({ registrations: ["Refused", "Unknown"] }),
      ["Registered=False/NotRegistered", "Ready=False/NotRegistered"],
      "0 of 2 pods are registered with the carrier; it refuses the registration or does not answer it: check the Secret's username and password, and host, port and transport",
    ],
    ["that has not answered a registration yet", trunk({ registrations: ["Unknown"] }), ["Registered=Unknown/NotMeasured", "Ready=True/Ready"], "the trunk can be used"],
    ["that no pod said anything about", trunk({ registrations: [] }), ["Registered=Unknown/NotMeasured", "Ready=True/Ready"], "the trunk can be used"],
    ["whose Secret lacks a key", trunk({ secret: { state: "Invalid", message: "it must have the key password" } }), ["Reachable=True/Reachable", "Ready=False/SecretInvalid"], "it must have the key password"],
    ["whose Secret can't be read", trunk({ secret: { state: "Unreadable", message: "forbidden" } }), ["Reachable=True/Reachable", "Ready=False/SecretUnreadable"], "forbidden"],
    ["whose Secret is missing", trunk({ secret: { state: "Absent", message: "Secret default/login does not exist" } }), ["Reachable=True/Reachable", "Ready=False/RefNotFound"], "Secret default/login does not exist"],
  ])("%s", (_, conditions, expected, words) => {
    expect(summary(conditions).slice(-2)).toEqual(expected);
    expect(message(conditions, "Ready")).toBe(words);
  });
});

describe("a condition", () => {
  const finding = { type: "Accepted", status: "True", reason: "Accepted", message: "fine", observedGeneration: 1 } as const;
  const first = setCondition([], finding, now);

  test("is new: its time is now, in whole seconds", () => {
    expect(first).toEqual([{ ...finding, lastTransitionTime: "2026-06-01T12:00:00Z" }]);
  });

  test("keeps its time when reason, message and generation change", () => {
    const second = setCondition(first, { ...finding, reason: "Invalid", message: "less fine", observedGeneration: 2 }, later);
    expect(second).toEqual([{ ...finding, reason: "Invalid", message: "less fine", observedGeneration: 2, lastTransitionTime: "2026-06-01T12:00:00Z" }]);
  });

  test("moves its time when the status flips", () => {
    expect(setCondition(first, { ...finding, status: "Unknown" }, later)[0]?.lastTransitionTime).toBe("2026-06-01T13:00:00Z");
  });

  test("leaves the others where they are", () => {
    const other: Condition = { type: "Other", status: "True", reason: "X", message: "", lastTransitionTime: "2020-01-01T00:00:00Z" };
    expect(setCondition([other, ...first], { ...finding, message: "new" }, later).map((condition) => condition.type)).toEqual(["Other", "Accepted"]);
  });

  test("never has a message longer than the schema allows", () => {
    expect(setCondition([], { ...finding, message: "x".repeat(40_000) }, now)[0]?.message).toHaveLength(32_768);
  });
});

test("when nothing changes an hour later, the conditions stay the same to the letter", () => {
  const conditions = pool();
  expect(pool({ previous: conditions, now: later })).toEqual(conditions);
});

test("Accepted=True tells what the author should know, of many only the first", () => {
  const warnings = [1, 2, 3, 4, 5, 6, 7].map((n) => `spec.field${n}: is not known`);
  expect(message(trunk({ warnings: warnings.slice(0, 2) }), "Accepted")).toBe("the specification is in force; but spec.field1: is not known; spec.field2: is not known");
  expect(summary(trunk({ warnings: warnings.slice(0, 2) }))).toContain("Accepted=True/AcceptedWithWarnings");
  expect(message(pool({ warnings }), "Accepted")).toMatch(/spec\.field5: is not known and 2 more$/);
  expect(message(pool({ warnings: warnings.map((warning) => warning.padEnd(10_000, "x")) }), "Accepted")?.length).toBeLessThan(1_600);
  expect(rulePoolStatuses({ ...common, warnings, pools: [{ key: "default/a", accepted: true, inService: true }] }, [])[0]?.conditions?.[0]?.reason).toBe("Accepted");
  expect(message(rule({ warnings, problems: ["spec.destinations: must be better"] }), "Accepted")).toBe("spec.destinations: must be better");
});

test("conditions that no check sets are dropped, and the order is always the same", () => {
  const previous = [...pool()].reverse();
  const stale: Condition = { type: "Stale", status: "True", reason: "X", message: "", lastTransitionTime: "2020-01-01T00:00:00Z" };
  expect(pool({ previous: [stale, ...previous] }).map((condition) => condition.type)).toEqual(["Accepted", "ResolvedRefs", "Programmed", "Ready"]);
});

test("every reason is its own name", () => {
  for (const [name, value] of Object.entries(ConditionReason)) expect(value).toBe(name);
});
