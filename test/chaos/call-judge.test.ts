import { describe, expect, test } from "vitest";

import { type Evidence, judge } from "./call-judge.ts";
import type { CallStory, Ring } from "./call-log.ts";

const CALLER = "+13000000001";
const aRing = (of: Partial<Ring> = {}): Ring => ({ by: "desk", rang: 10, answered: 1_000, over: 6_000, ...of });
const aStory = (of: Partial<CallStory> = {}): CallStory => ({ caller: CALLER, asked: 0, answered: 1_010, over: 6_010, cut: null, rings: [aRing()], ...of });
const evidence = (of: Partial<Evidence> = {}): Evidence => ({
  stories: [aStory()],
  windows: [{ fault: "router killed", from: 500, to: 600 }],
  records: [{ id: "one", caller: CALLER, end: "completed", answered: true }],
  taken: new Set(["one"]),
  left: { channels: 0, bridges: 0, liveLegs: 0 },
  sippFailed: 0,
  ...of,
});

describe("a run of chaos", () => {
  test("in which every promise was kept", () => {
    const { broken, faults, wronged } = judge(evidence());
    expect([broken, wronged]).toEqual([[], []]);
    expect(faults).toEqual([{ fault: "router killed", times: 1, setUp: 1, bridged: 0, byDefault: 0, pickedUpInVain: 0, reachedNobody: 0, bridgedLost: 0, longestWaitSeconds: 1 }]);
  });

  test("counts a call as bridged that was talking when the fault came", () => {
    expect(judge(evidence({ windows: [{ fault: "router killed", from: 2_000, to: 2_100 }] })).faults[0]).toMatchObject({ setUp: 0, bridged: 1 });
  });

  test.each([
    ["without calls", { stories: [], records: [], taken: new Set<string>() }, "1 run without calls"],
    ["in which a caller got no answer", { stories: [aStory({ answered: null, over: null })] }, "1 calls reached nobody"],
    ["in which a caller was cut off", { stories: [aStory({ over: null, cut: 3_000 })] }, "1 bridged calls were lost"],
    [
      "in which somebody was rung while another was on the line",
      { stories: [aStory({ rings: [aRing(), aRing({ by: "fallback", rang: 2_000, answered: null })] })] },
      "1 calls rang somebody while somebody else was on the line",
    ],
    ["in which SIPp saw something unexpected", { sippFailed: 2 }, "2 calls did not go as SIPp's scenario says"],
    ["in which a call that a router took has no record", { taken: new Set(["one", "two"]) }, "1 records are missing"],
    ["in which a caller whom a router served has no record", { records: [], taken: new Set<string>() }, "1 records are missing"],
    ["in which a call has two records", { records: ["one", "two"].map((id) => ({ id, caller: CALLER, end: "completed", answered: true })) }, "1 records are doubled"],
    ["in which a record was never closed", { records: [{ id: "one", caller: CALLER, end: null, answered: true }] }, "1 records are open"],
    ["in which a record denies a talk", { records: [{ id: "one", caller: CALLER, end: "abandoned", answered: true }] }, "1 records are not true"],
    ["in which a record claims an answer that nobody gave", { stories: [aStory({ rings: [aRing({ by: "fallback", answered: null })] })] }, "1 records are not true"],
    ["after which a channel is left", { left: { channels: 1, bridges: 0, liveLegs: 0 } }, "1 channels were left behind"],
    ["after which a bridge is left", { left: { channels: 0, bridges: 1, liveLegs: 0 } }, "1 bridges were left behind"],
  ] satisfies readonly (readonly [string, Partial<Evidence>, string])[])("%s is told", (_, of, sentence) => {
    expect(judge(evidence(of)).broken).toEqual([sentence]);
  });

  test("names whom a promise was broken to", () => {
    const other = { caller: "+13000000002", end: "completed", answered: true };
    const untrue = { id: "one", caller: CALLER, end: "abandoned", answered: true };
    expect(judge(evidence({ stories: [aStory(), aStory({ caller: other.caller })], records: [untrue, { id: "two", ...other }] })).wronged).toEqual([CALLER]);
  });

  test.each([
    ["who answered in the moment in which the hang-up was on its way picked up in vain", aRing({ answered: 990, over: 1_010 }), []],
    ["who answered in that moment and was not hung up is on the line", aRing({ answered: 990, over: 6_000 }), ["1 calls rang somebody while somebody else was on the line"]],
    ["who answered well before was on the line, hung up or not", aRing({ answered: 900, over: 1_010 }), ["1 calls rang somebody while somebody else was on the line"]],
  ])("somebody %s", (_, ring, broken) => {
    const rings = [ring, aRing({ by: "fallback", rang: 1_000, answered: 1_200 })];
    expect(judge(evidence({ stories: [aStory({ answered: 1_210, rings })], records: [{ id: "one", caller: CALLER, end: "failed", answered: false }] })).broken).toEqual(broken);
  });

  test("tells of somebody who answered and was put through to nobody", () => {
    const rings = [aRing({ answered: 500, over: 510 }), aRing({ by: "fallback", rang: 800 })];
    expect(judge(evidence({ stories: [aStory({ rings })], records: [{ id: "one", caller: CALLER, end: "failed", answered: false }] }))).toMatchObject({ pickedUpInVain: 1, broken: [] });
  });
});
