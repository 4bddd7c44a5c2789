import { describe, expect, test } from "vitest";
import { classifyHangup, endOf, groupResult, mayTryNext, nextStep, type Hangup } from "../../src/domain/failover.ts";
import type { Attempt, LegResult } from "../../src/domain/types.ts";

const hangup = (q850: number, of: Partial<Hangup> = {}): Hangup => ({ q850, ...of });

describe("how a leg ended", () => {
  test.each<[string, Hangup, LegResult]>([
    ["486", hangup(17, { sipStatus: 486 }), "busy"],
    ["600", hangup(17, { sipStatus: 600 }), "busy"],
    ["480", hangup(19, { sipStatus: 480 }), "no-answer"],
    ["408", hangup(18, { sipStatus: 408 }), "unreachable"],
    ["500", hangup(38, { sipStatus: 500 }), "congestion"],
    ["502", hangup(27, { sipStatus: 502 }), "unreachable"],
    ["503", hangup(34, { sipStatus: 503 }), "congestion"],
    ["504", hangup(102, { sipStatus: 504 }), "unreachable"],
    ["404: the number doesn't exist", hangup(1, { sipStatus: 404 }), "declined"],
    ["401: the trunk's credentials are refused", hangup(21, { sipStatus: 401 }), "unreachable"],
    ["407: the same", hangup(21, { sipStatus: 407 }), "unreachable"],
    ["402: the trunk's credit is used up", hangup(21, { sipStatus: 402 }), "unreachable"],
    ["403: the carrier refuses", hangup(21, { sipStatus: 403 }), "declined"],
    ["603: a person refuses", hangup(21, { sipStatus: 603 }), "declined"],
    ["any other 6xx speaks for all places of the callee", hangup(127, { sipStatus: 606 }), "declined"],
    ["any other 4xx is technical", hangup(127, { sipStatus: 488 }), "unreachable"],
    ["487", hangup(16, { sipStatus: 487 }), "cancelled"],
    ["a provisional status says nothing; the cause does", hangup(17, { sipStatus: 183 }), "busy"],
    ["cause 16 alone: hung up before an answer", hangup(16), "cancelled"],
    ["cause 17 alone", hangup(17), "busy"],
    ["cause 18 alone: nobody responded", hangup(18), "unreachable"],
    ["cause 19 alone", hangup(19), "no-answer"],
    ["cause 21 alone", hangup(21), "declined"],
    ["cause 1 alone", hangup(1), "declined"],
    ["cause 3 alone: no route", hangup(3), "unreachable"],
    ["cause 20 alone: not registered", hangup(20), "unreachable"],
    ["cause 26 alone: answered elsewhere", hangup(26), "cancelled"],
    ["cause 27 alone", hangup(27), "unreachable"],
    ["cause 34 alone", hangup(34), "congestion"],
    ["cause 38 alone", hangup(38), "congestion"],
    ["no cause at all: the transport failed", hangup(0), "unreachable"],
    ["an unknown cause", hangup(4711), "unreachable"],
  ])("%s", (_, given, expected) => {
    expect(classifyHangup(given)).toBe(expected);
  });

  test.each<readonly [LegResult, readonly number[], readonly number[]]>([
    ["busy", [486, 600], [17]],
    ["no-answer", [480], [19]],
    ["cancelled", [487], [16, 26]],
    ["congestion", [500, 501, 503, 505, 580], [34, 38, 41, 42, 44, 47]],
    ["declined", [403, 404, 410, 484, 603, 604, 606, 607, 608], [1, 21, 22, 28]],
    ["unreachable", [302, 400, 401, 402, 407, 408, 415, 488, 502, 504], [0, 2, 3, 18, 20, 27, 31, 43, 88, 102, 127]],
  ])("%s is what %j say whatever the cause is, and what the causes %j say alone", (result, statuses, causes) => {
    for (const sipStatus of statuses) for (const q850 of [0, 17, 21, 34]) expect([sipStatus, classifyHangup({ q850, sipStatus })]).toEqual([sipStatus, result]);
    for (const q850 of causes) expect([q850, classifyHangup({ q850 })]).toEqual([q850, result]);
  });
});

const leg: Attempt = { name: "a", destination: "+12025550141", trunk: "default/carrier", ringTimeoutSeconds: 25, maxConcurrentCalls: null, whisper: null };
const stop = { stickyFirst: false, onBusy: "Stop", onNoAnswer: "Stop", groups: [[leg], [leg]] } as const;
const next = { stickyFirst: false, onBusy: "Next", onNoAnswer: "Next", groups: [[leg], [leg]] } as const;

describe("the next destination is tried", () => {
  test.each<[LegResult, boolean, boolean]>([
    ["answered", false, false],
    ["declined", false, false],
    ["cancelled", false, false],
    ["busy", false, true],
    ["no-answer", false, true],
    ["unreachable", true, true],
    ["congestion", true, true],
    ["not-tried", true, true],
  ])("after %s: %s with Stop, %s with Next", (result, withStop, withNext) => {
    expect([mayTryNext(stop, 0, result), mayTryNext(next, 0, result)]).toEqual([withStop, withNext]);
  });

  test.each<[LegResult, number, boolean]>([
    ["busy", 0, true],
    ["no-answer", 0, true],
    ["declined", 0, false],
    ["busy", 1, false],
    ["no-answer", 1, false],
  ])("with Stop, after who knows the caller was rung first: %s of group %d: %s", (result, group, expected) => {
    expect(mayTryNext({ ...stop, stickyFirst: true }, group, result)).toBe(expected);
  });
});

describe("the next step", () => {
  test.each([
    ["rings the next group", nextStep(next, 0, "busy"), { type: "ring", group: 1 }],
    ["ends as busy when told to stop", nextStep(stop, 0, "busy"), { type: "end", end: "busy" }],
    ["ends with the last result when no group is left", nextStep(next, 1, "no-answer"), { type: "end", end: "no-answer" }],
    ["never overrules a no", nextStep(next, 0, "declined"), { type: "end", end: "declined" }],
    ["never dials again after an answer", nextStep(next, 0, "answered"), { type: "end", end: "completed" }],
    ["gives up when the caller went", nextStep(next, 0, "cancelled"), { type: "end", end: "abandoned" }],
  ])("%s", (_, step, expected) => {
    expect(step).toEqual(expected);
  });

  test("what was never tried failed", () => {
    expect(endOf("not-tried")).toBe("failed");
  });
});

describe("legs that rang together have one result", () => {
  test.each<[string, LegResult[], LegResult]>([
    ["one answered, the others were cancelled", ["cancelled", "answered", "cancelled"], "answered"],
    ["one said no", ["no-answer", "declined"], "declined"],
    ["busy tells more than no answer", ["no-answer", "busy"], "busy"],
    ["no answer tells more than a broken line", ["unreachable", "no-answer"], "no-answer"],
    ["no answer tells more than a far end without capacity", ["congestion", "no-answer"], "no-answer"],
    ["a far end without capacity tells more than one that is not reached", ["unreachable", "congestion"], "congestion"],
    ["not reached tells more than cancelled by the network", ["cancelled", "unreachable"], "unreachable"],
    ["none", [], "not-tried"],
  ])("%s", (_, results, expected) => {
    expect(groupResult(results)).toBe(expected);
  });
});
