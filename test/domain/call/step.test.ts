import { describe, expect, test } from "vitest";

import { facts } from "../builders.ts";
import { CallReason } from "../../../src/domain/call-reasons.ts";
import { bridgeId } from "../../../src/domain/call/ids.ts";
import { closeUnobserved } from "../../../src/domain/call/recognise.ts";
import { recordOf } from "../../../src/domain/call/record.ts";
import type { Call } from "../../../src/domain/call/states.ts";
import { step } from "../../../src/domain/call/step.ts";
import type { CallRecord } from "../../../src/domain/types.ts";
import { aDecision, after, anAttempt, answered, AT, brief, commandFailed, deadline, decided, decidedAhead, gone, type Happening, ID, INBOUND, joined, LEG, received, ringing, STATES, whispering } from "./builders.ts";

function theRecord(call: Call): CallRecord {
  if (call.origin === null) throw new Error("a call of our own has an origin");
  return recordOf(call, call.origin);
}

/** Every kind of event, about a call whose legs 0 and 1 ring together and whose leg 0 answered, where any did. */
const EVENTS = {
  Decided: decided(aDecision([["a", "b"], ["c"]])),
  Attributed: { type: "Attributed", context: facts().context },
  Stopping: { type: "Stopping" },
  Undecidable: { type: "Undecidable", reason: "PoolUnknown", message: "no pool" },
  "LegReady 0": { type: "LegReady", channel: LEG(0) },
  "LegUp 0": { type: "LegUp", channel: LEG(0) },
  "LegRinging 0": { type: "LegRinging", channel: LEG(0) },
  "LegAnswered 0": answered(0),
  "LegAnswered 1": answered(1),
  "LegAnswered of nobody": { type: "LegAnswered", channel: "stranger" },
  "Gone inbound": gone(INBOUND),
  "HangingUp inbound": { type: "HangingUp", channel: INBOUND, cause: 16, sipStatus: null },
  "HangingUp 0": { type: "HangingUp", channel: LEG(0), cause: 16, sipStatus: null },
  "Gone 0, busy": gone(LEG(0), 17, 486),
  "Gone 1": gone(LEG(1)),
  "Gone of nobody": gone("stranger"),
  "Whispered 0": { type: "Whispered", channel: LEG(0) },
  "Whispered 1": { type: "Whispered", channel: LEG(1) },
  "Joined 0": joined(0),
  "Joined inbound": { type: "Joined", channel: INBOUND },
  "Originate 0 refused": commandFailed("Originate", 500, LEG(0)),
  "Originate 0 unanswered": commandFailed("Originate", 0, LEG(0)),
  "CreateBridge failed": commandFailed("CreateBridge", 409),
  "AddToBridge failed": commandFailed("AddToBridge", 422, INBOUND),
  "Answer failed": commandFailed("Answer", 412, INBOUND),
  "Ring failed": commandFailed("Ring", 412, INBOUND),
  "HangUp failed": commandFailed("HangUp", 500, LEG(0)),
  "Whisper failed": commandFailed("Whisper", 500, LEG(0)),
  "Continue found nobody": commandFailed("Continue", 404, INBOUND),
  "Continue refused": commandFailed("Continue", 500, INBOUND),
  "Continue unanswered": commandFailed("Continue", 0, INBOUND),
  "Continue found the dialplan": commandFailed("Continue", 409, INBOUND),
  "CreateBridge unanswered": commandFailed("CreateBridge", 0),
  "AddToBridge unanswered": commandFailed("AddToBridge", 0, INBOUND),
  "Answer unanswered": commandFailed("Answer", 0, INBOUND),
  "decision deadline": deadline("decision"),
  "silence deadline": deadline("silence"),
  "ring deadline": deadline("ring"),
  "whisper deadline": deadline("whisper"),
  "proof deadline": deadline("proof"),
  "duration deadline": deadline("duration"),
  "hangup deadline": deadline("hangup"),
  "hangup delayed": { type: "Delayed", timer: "hangup" },
  AsteriskRestarted: { type: "AsteriskRestarted" },
  /** Of a call that is known: of one that was adopted it is told in recovery.test.ts. */
  Recognised: { type: "Recognised", record: closeUnobserved(theRecord(STATES.bridged()), AT) },
  "Resynced, nothing there": { type: "Resynced", channels: new Map(), inBridge: new Set() },
} satisfies Record<string, Happening>;

type Row = readonly [state: string, commands: readonly string[]];
type Table = Partial<Record<keyof typeof EVENTS, Row>>;

const ORIGINATE_ALL = ["Originate 0 a", "Originate 1 b", "StartTimer ring 25", "StartTimer silence 1.5", "SaveRecord received"];
const TELL = ["Ring in", "CreateBridge", "AddToBridge in"];
const CONNECT = ["Answer in", "AddToBridge 0"];
const JOIN_FIRST = ["AddToBridge 0", "StartTimer proof 3"];
const GIVE_AWAY = ["KeepRecord received", "StartTimer hangup 5", "Continue in"];
const HAND_OVER = ["KeepRecord received", "HangUp 0 16", "StartTimer hangup 5", "Continue in"];
const CANCEL_BOTH = ["HangUp 0 16", "HangUp 1 16", "StartTimer hangup 5"];
const HAND_BACK = ["KeepRecord received", ...CANCEL_BOTH, "Continue in"];
const END_TALK = ["HangUp in 16", "HangUp 0 16", "StartTimer hangup 5"];
const FAIL_TALK = ["HangUp in 41", "HangUp 0 16", "StartTimer hangup 5"];

/** What is not listed neither moves the call nor wants anything. */
const TABLES: Readonly<Record<keyof typeof STATES, Table>> = {
  received: {
    "LegReady 0": ["received", ["HangUp 0 26"]],
    Decided: ["dialing", ORIGINATE_ALL],
    Stopping: ["ending", GIVE_AWAY],
    Undecidable: ["ending", GIVE_AWAY],
    "LegAnswered 0": ["received", ["HangUp 0 26"]],
    "LegAnswered 1": ["received", ["HangUp 1 26"]],
    "LegAnswered of nobody": ["received", ["HangUp stranger 26"]],
    "Gone inbound": ["ended", ["SaveRecord abandoned"]],
    "HangingUp inbound": ["ended", ["SaveRecord abandoned"]],
    "decision deadline": ["ending", GIVE_AWAY],
    AsteriskRestarted: ["ended", ["SaveRecord failed"]],
    "Resynced, nothing there": ["ended", ["SaveRecord abandoned"]],
  },
  "nobody rings": {
    Stopping: ["ending", HAND_BACK],
    "LegReady 0": ["dialing", ["HangUp 0 26"]],
    "LegRinging 0": ["dialing", TELL],
    "silence deadline": ["dialing", TELL],
    "HangingUp inbound": ["ending", CANCEL_BOTH],
    "LegAnswered 0": ["bridging", ["Answer in", "CreateBridge", "AddToBridge in 0", "HangUp 1 26", "StartTimer duration 600"]],
    "LegAnswered 1": ["bridging", ["Answer in", "CreateBridge", "AddToBridge in 1", "HangUp 0 26", "StartTimer duration 600"]],
    "LegAnswered of nobody": ["dialing", ["HangUp stranger 26"]],
    "Gone inbound": ["ending", CANCEL_BOTH],
    "CreateBridge failed": ["ending", HAND_BACK],
    "AddToBridge failed": ["ending", HAND_BACK],
    "Answer failed": ["ending", HAND_BACK],
    "ring deadline": ["dialing", ["HangUp 0 19", "HangUp 1 19", "Originate 2 c", "StartTimer ring 25", "StartTimer silence 1.5", "SaveRecord received"]],
    AsteriskRestarted: ["ended", ["SaveRecord failed"]],
    "Resynced, nothing there": ["ended", ["HangUp 0 16", "HangUp 1 16", "StartTimer hangup 5", "SaveRecord abandoned"]],
  },
  dialing: {
    Stopping: ["ending", HAND_BACK],
    "LegReady 0": ["dialing", ["HangUp 0 26"]],
    "LegAnswered 0": ["bridging", ["Answer in", "AddToBridge 0", "HangUp 1 26", "StartTimer duration 600"]],
    "LegAnswered 1": ["bridging", ["Answer in", "AddToBridge 1", "HangUp 0 26", "StartTimer duration 600"]],
    "LegAnswered of nobody": ["dialing", ["HangUp stranger 26"]],
    "Gone inbound": ["ending", CANCEL_BOTH],
    "HangingUp inbound": ["ending", CANCEL_BOTH],
    "CreateBridge unanswered": ["dialing", ["CreateBridge"]],
    "AddToBridge unanswered": ["dialing", ["AddToBridge in"]],
    "CreateBridge failed": ["ending", HAND_BACK],
    "AddToBridge failed": ["ending", HAND_BACK],
    "Answer failed": ["ending", HAND_BACK],
    "ring deadline": ["dialing", ["HangUp 0 19", "HangUp 1 19", "Originate 2 c", "StartTimer ring 25", "SaveRecord received"]],
    AsteriskRestarted: ["ended", ["DestroyBridge", "SaveRecord failed"]],
    "Resynced, nothing there": ["ended", ["HangUp 0 16", "HangUp 1 16", "StartTimer hangup 5", "DestroyBridge", "SaveRecord abandoned"]],
  },
  whispering: {
    "LegReady 0": ["bridging", ["HangUp 0 26"]],
    "LegAnswered 1": ["bridging", ["HangUp 1 26"]],
    "LegAnswered of nobody": ["bridging", ["HangUp stranger 26"]],
    "Gone inbound": ["ending", ["HangUp 0 16", "StartTimer hangup 5"]],
    "Gone 0, busy": ["ending", ["HangUp in 21", "StartTimer hangup 5"]],
    "CreateBridge unanswered": ["bridging", ["CreateBridge"]],
    "AddToBridge unanswered": ["bridging", ["AddToBridge in"]],
    "Whispered 0": ["bridging", CONNECT],
    "Whisper failed": ["bridging", CONNECT],
    "whisper deadline": ["bridging", ["StopWhisper 0", ...CONNECT]],
    "Originate 0 refused": ["ending", ["HangUp in 21", "StartTimer hangup 5"]],
    "CreateBridge failed": ["ending", FAIL_TALK],
    "AddToBridge failed": ["ending", FAIL_TALK],
    "Answer failed": ["ending", FAIL_TALK],
    "duration deadline": ["ending", END_TALK],
    AsteriskRestarted: ["ended", ["DestroyBridge", "SaveRecord failed"]],
    "Resynced, nothing there": ["ended", ["HangUp 0 16", "StartTimer hangup 5", "DestroyBridge", "SaveRecord abandoned"]],
  },
  bridging: {
    "LegReady 0": ["bridging", ["HangUp 0 26"]],
    "CreateBridge unanswered": ["bridging", ["CreateBridge"]],
    "AddToBridge unanswered": ["bridging", ["AddToBridge in"]],
    "Answer unanswered": ["bridging", ["Answer in"]],
    "LegAnswered 1": ["bridging", ["HangUp 1 26"]],
    "LegAnswered of nobody": ["bridging", ["HangUp stranger 26"]],
    "Gone inbound": ["ending", ["HangUp 0 16", "StartTimer hangup 5"]],
    "Gone 0, busy": ["ending", ["HangUp in 17", "StartTimer hangup 5"]],
    "Joined 0": ["bridged", ["SaveRecord bridged"]],
    "Originate 0 refused": ["ending", ["HangUp in 16", "StartTimer hangup 5"]],
    "CreateBridge failed": ["ending", FAIL_TALK],
    "AddToBridge failed": ["ending", FAIL_TALK],
    "Answer failed": ["ending", FAIL_TALK],
    "duration deadline": ["ending", END_TALK],
    AsteriskRestarted: ["ended", ["DestroyBridge", "SaveRecord failed"]],
    "Resynced, nothing there": ["ended", ["HangUp 0 16", "StartTimer hangup 5", "DestroyBridge", "SaveRecord failed"]],
  },
  unproven: {
    "LegReady 0": ["bridging", ["HangUp 0 26"]],
    "CreateBridge unanswered": ["bridging", ["CreateBridge"]],
    "AddToBridge unanswered": ["bridging", ["AddToBridge in"]],
    "LegAnswered 0": ["bridging", JOIN_FIRST],
    "LegAnswered 1": ["bridging", ["HangUp 1 26"]],
    "LegAnswered of nobody": ["bridging", ["HangUp stranger 26"]],
    "Gone inbound": ["ending", ["HangUp 0 16", "StartTimer hangup 5"]],
    "Gone 0, busy": ["ending", GIVE_AWAY],
    "Joined 0": ["bridging", CONNECT],
    "Originate 0 refused": ["ending", GIVE_AWAY],
    "CreateBridge failed": ["ending", HAND_OVER],
    "AddToBridge failed": ["ending", HAND_OVER],
    "Answer failed": ["ending", HAND_OVER],
    "proof deadline": ["ending", HAND_OVER],
    "duration deadline": ["ending", END_TALK],
    AsteriskRestarted: ["ended", ["DestroyBridge", "SaveRecord failed"]],
    "Resynced, nothing there": ["ended", ["HangUp 0 16", "StartTimer hangup 5", "DestroyBridge", "SaveRecord abandoned"]],
  },
  bridged: {
    "LegReady 0": ["bridged", ["HangUp 0 26"]],
    "LegAnswered 1": ["bridged", ["HangUp 1 26"]],
    "LegAnswered of nobody": ["bridged", ["HangUp stranger 26"]],
    "Gone inbound": ["ending", ["HangUp 0 16", "StartTimer hangup 5"]],
    "Gone 0, busy": ["ending", ["HangUp in 17", "StartTimer hangup 5"]],
    "Originate 0 refused": ["ending", ["HangUp in 16", "StartTimer hangup 5"]],
    "duration deadline": ["ending", END_TALK],
    AsteriskRestarted: ["ended", ["DestroyBridge", "SaveRecord failed"]],
    "Resynced, nothing there": ["ended", ["HangUp 0 16", "StartTimer hangup 5", "DestroyBridge", "SaveRecord completed"]],
  },
  ending: {
    "LegReady 0": ["ending", ["HangUp 0 26"]],
    "LegAnswered 0": ["ending", ["HangUp 0 26"]],
    "LegAnswered 1": ["ending", ["HangUp 1 26"]],
    "LegAnswered of nobody": ["ending", ["HangUp stranger 26"]],
    "Continue refused": ["ending", ["HangUp in 16"]],
    "hangup deadline": ["ended", ["HangUp in 16", "HangUp 0 16", "HangUp 1 16", "DestroyBridge", "SaveRecord max-duration"]],
    "hangup delayed": ["ending", ["SaveRecord max-duration"]],
    AsteriskRestarted: ["ended", ["DestroyBridge", "SaveRecord max-duration"]],
    "Resynced, nothing there": ["ended", ["DestroyBridge", "SaveRecord max-duration"]],
  },
  "handed back": {
    "LegReady 0": ["ending", ["HangUp 0 26"]],
    "LegAnswered 0": ["ending", ["HangUp 0 26"]],
    "LegAnswered 1": ["ending", ["HangUp 1 26"]],
    "LegAnswered of nobody": ["ending", ["HangUp stranger 26"]],
    "Continue refused": ["ending", ["HangUp in 41"]],
    "hangup deadline": ["ended", ["Continue in", "HangUp 0 41", "HangUp 1 41", "DestroyBridge", "SaveRecord failed"]],
    "hangup delayed": ["ending", ["SaveRecord failed"]],
    AsteriskRestarted: ["ended", ["DestroyBridge", "SaveRecord failed"]],
    "Resynced, nothing there": ["ended", ["DestroyBridge", "SaveRecord failed"]],
  },
  ended: {
    "LegReady 0": ["ended", ["HangUp 0 26"]],
    "LegAnswered 0": ["ended", ["HangUp 0 26"]],
    "LegAnswered 1": ["ended", ["HangUp 1 26"]],
    "LegAnswered of nobody": ["ended", ["HangUp stranger 26"]],
  },
};

const cases = Object.entries(TABLES).flatMap(([state, table]) =>
  Object.entries(EVENTS).map(([name, event]): readonly [string, string, Happening, Row | undefined] => [state, name, event, table[name as keyof typeof EVENTS]]),
);

describe("every state meets every event", () => {
  test.each(cases)("%s: %s", (state, _, event, expected) => {
    const before = STATES[state as keyof typeof STATES]();
    const { call, commands } = after(before, event);
    const [kind, wanted] = expected ?? [before.kind, []];
    expect([call.kind, brief(commands)]).toEqual([kind, wanted]);
  });
});

const endings = cases.filter(([state, , , expected]) => (state === "whispering" || state === "unproven") && (expected?.[0] === "ending" || expected?.[0] === "ended"));

test.each(endings)("%s: %s is the end, and a caller who was not answered has no time of an answer", (state, _, event) => {
  const { call } = after(STATES[state as keyof typeof STATES](), event);
  expect(theRecord(call)).toMatchObject({ answeredAt: null, answeredBy: null });
});

describe("groups of destinations", () => {
  test.each([
    ["a busy leg and onBusy Next: the next group", { onBusy: "Next" }, gone(LEG(0), 17, 486), "dialing"],
    ["a busy leg and onBusy Stop: the end", { onBusy: "Stop" }, gone(LEG(0), 17, 486), "ending"],
    ["no answer and onNoAnswer Next: the next group", { onNoAnswer: "Next" }, gone(LEG(0), 19, 480), "dialing"],
    ["no answer and onNoAnswer Stop: the end", { onNoAnswer: "Stop" }, gone(LEG(0), 19, 480), "ending"],
    ["a human's decline: the end", {}, gone(LEG(0), 21, 603), "ending"],
    ["an unreachable far end: the next group", {}, gone(LEG(0), 27, null), "dialing"],
    ["a trunk whose credentials are refused: the next group", {}, gone(LEG(0), 21, 401), "dialing"],
    ["who knows the caller is busy: the others, in spite of onBusy Stop", { stickyFirst: true }, gone(LEG(0), 17, 486), "dialing"],
    ["a network that cancelled what we did not: the next group", {}, gone(LEG(0), 16, 487), "dialing"],
  ] as const)("%s", (_, rule, failure, kind) => {
    const dialing = after(received(), decided(aDecision([["a"], ["b"]], rule))).call;
    expect(after(dialing, failure).call.kind).toBe(kind);
  });

  test("the next group waits for the last leg of the group before", () => {
    const first = after(STATES.dialing(), gone(LEG(0), 27, null));
    expect([first.call.kind, brief(first.commands)]).toEqual(["dialing", []]);
    const second = after(first.call, gone(LEG(1), 27, null));
    expect(brief(second.commands)).toEqual(["Originate 2 c", "StartTimer ring 25", "SaveRecord received"]);
  });

  test.each([
    ["busy", gone(LEG(0), 17, 486), 17],
    ["no-answer", gone(LEG(0), 19, 480), 19],
    ["declined", gone(LEG(0), 21, 603), 21],
    ["declined", gone(LEG(0), 1, 404), 1],
    ["declined", gone(LEG(0), 22, 410), 22],
    ["declined", gone(LEG(0), 28, 484), 28],
    ["congestion", gone(LEG(0), 34, 503), 34],
    ["unreachable", gone(LEG(0), 27, 408), 20],
  ])("a call that ends %s tells the caller so", (end, failure, told) => {
    const dialing = after(received(), decided(aDecision([["a"]]))).call;
    const { call, commands } = after(dialing, failure);
    expect(call).toMatchObject({ kind: "ending", end });
    expect(brief(commands)[0]).toBe(`HangUp in ${told}`);
  });

  test("503 is told only when nobody was there to be rung: carriers would try another way and ring everybody again", () => {
    const second = after(received(), decided(aDecision([["a"], ["b"]])), ringing(0), gone(LEG(0), 19, 480)).call;
    expect(brief(after(second, gone(LEG(1), 34, 503)).commands)[0]).toBe("HangUp in 20");
    const both = after(received(), decided(aDecision([["a"], ["b"]])), gone(LEG(0), 34, 503)).call;
    expect(brief(after(both, gone(LEG(1), 34, 503)).commands)[0]).toBe("HangUp in 34");
  });

  const full = (leg: number): Happening => ({ type: "CommandFailed", command: "Originate", channel: LEG(leg), failure: { kind: "limit", full: true } });
  const whenFull = anAttempt("default");

  test.each([
    ["all of them are full: the default destination, once", [full(0), full(1)], ["Originate 2 default"]],
    ["one is full and the other busy: the end", [full(0), gone(LEG(1), 17, 486)], ["HangUp in 17"]],
    ["all are full, the default destination is busy: the end", [full(0), full(1), gone(LEG(2), 17, 486)], ["HangUp in 17"]],
  ])("when %s", (_, happenings, first) => {
    const dialing = after(received(), decided(aDecision([["a"], ["b"]], { whenFull }))).call;
    expect(brief(after(dialing, ...happenings).commands).slice(0, 1)).toEqual(first);
  });

  test("the default destination that is called because all are full is called as it always is", () => {
    const rule = { whenFull, callerId: { type: "Caller" }, earlyMedia: true, maxCallSeconds: 60 } as const;
    const first = after(received(), decided(aDecision([["a"], ["b"]], rule)), full(0));
    expect(first.commands[0]).toMatchObject({ type: "Originate", attempt: { name: "b" }, callerId: { type: "Caller" } });
    expect(first.call.notes).toEqual([]);
    const { call, commands } = after(first.call, full(1));
    expect(commands[0]).toMatchObject({ type: "Originate", early: false, callerId: { type: "Tracking" } });
    expect(call.decision).toMatchObject({ rule: null, onBusy: "Stop", maxCallSeconds: 14_400, whenFull: null });
  });

  test("a group rings until the one that is called for longest has had its time", () => {
    const groups = [[anAttempt("a", { ringTimeoutSeconds: 5 }), anAttempt("b", { ringTimeoutSeconds: 60 })]];
    expect(brief(after(received(), decided(aDecision([], { groups }))).commands)).toContain("StartTimer ring 65");
  });

  test.each([
    ["has left", 404, "abandoned"],
    ["is still there", 500, "failed"],
  ])("a caller whom the dialplan did not take because he %s was not handed back", (_, status, end) => {
    expect(after(STATES["handed back"](), commandFailed("Continue", status, INBOUND)).call).toMatchObject({ kind: "ending", handedBack: false, end });
  });

  test("a destination with a whisper hears it before the caller is answered", () => {
    const dialing = after(received(), decided(whispering(aDecision([["a"]])))).call;
    expect(brief(after(dialing, answered(0)).commands)).toEqual(["Ring in", "Whisper 0", "StartTimer whisper 20", "CreateBridge", "AddToBridge in", "StartTimer duration 600"]);
  });

  test.each([
    ["declines", gone(LEG(0)), "declined"],
    ["is left by the caller", gone(INBOUND), "abandoned"],
  ] as const)("who hears a whisper and %s has answered nobody", (_, event, end) => {
    const { call } = after(STATES.whispering(), event);
    expect(call).toMatchObject({ kind: "ending", end, answeredAt: null });
    expect(theRecord(call)).toMatchObject({ answeredAt: null, answeredBy: null });
  });

  test("a call that lasts too long while the whisper is heard has answered nobody", () => {
    const { call } = after(STATES.whispering(), deadline("duration"));
    expect(call).toMatchObject({ kind: "ending", end: "max-duration", answeredAt: null });
  });

  test("a caller who could not be answered any more has given up, although the other one had been put into the bridge", () => {
    const { call } = after(STATES.bridging(), { type: "ChannelGone", channel: INBOUND, cause: null, sipStatus: null, unanswered: true }, joined(0), gone(LEG(0)), gone(LEG(1)));
    expect(call).toMatchObject({ kind: "ended", end: "abandoned", answeredAt: null, bridgedAt: null });
  });

  test("the caller is told once that it rings", () => {
    expect(brief(after(STATES.dialing(), ringing(0), ringing(1)).commands)).toEqual([]);
  });

  test("a leg that answers after its time is hung up and not connected", () => {
    const late = after(STATES.dialing(), deadline("ring"), answered(0));
    expect([late.call.kind, brief(late.commands)]).toEqual(["dialing", ["HangUp 0 26"]]);
  });

  test.each([
    ["refused", { outcome: "refuse" }, "refused", "HangUp in 21"],
    ["without anybody to ring", {}, "congestion", "HangUp in 34"],
  ] as const)("a decision %s ends the call", (_, of, end, command) => {
    const { call, commands } = after(received(), decided(aDecision([], of)));
    expect(call).toMatchObject({ kind: "ending", end });
    expect(brief(commands)[0]).toBe(command);
  });
});

test("a caller whose way into the bridge was lost with the socket is put there when a leg is found up", () => {
  const channels = new Map([[INBOUND, { up: false }], [LEG(0), { up: true }], [LEG(1), { up: false }]]);
  const { call, commands } = after(STATES.dialing(), { type: "Resynced", channels, inBridge: new Set<string>() });
  expect([call.kind, brief(commands).slice(0, 2)]).toEqual(["bridging", ["CreateBridge", "AddToBridge in"]]);
});

describe("with early media one destination alone is in the bridge before it answers", () => {
  const early = decided(aDecision([["a"], ["b"]], { earlyMedia: true }));
  const made = () => after(received(), early).call;
  const ready: Happening = { type: "LegReady", channel: LEG(0) };
  const dialled = () => after(made(), ready).call;
  const up: Happening = { type: "LegUp", channel: LEG(0) };

  test("its channel is made, put into the bridge, and called", () => {
    expect(after(received(), early).commands).toMatchObject([{ type: "Originate", early: true }, { type: "CreateBridge", early: true }, {}, {}, {}]);
    expect(brief(after(received(), early).commands)).toEqual(["Originate 0 a", "CreateBridge", "AddToBridge in", "StartTimer ring 25", "SaveRecord received"]);
    expect(brief(after(made(), ready).commands)).toEqual(["AddToBridge 0", "Dial 0 20", "StartTimer ring 25"]);
    expect(brief(after(dialled(), ready).commands)).toEqual([]);
  });

  test("Asterisk tells the caller that it rings, and answers the caller with it", () => {
    expect(brief(after(dialled(), { type: "LegRinging", channel: LEG(0) }).commands)).toEqual([]);
    const { call, commands } = after(dialled(), joined(0), up);
    expect([call.kind, brief(commands)]).toEqual(["bridged", ["StartTimer duration 600", "SaveRecord bridged"]]);
    expect(call.bridgedAt).toEqual(call.answeredAt);
  });

  test("who rings next without is told of by us: after the first one's tones the caller would hear nothing", () => {
    const groups = [[anAttempt("a")], [anAttempt("b", { whisper: "sound:beep" })]];
    const first = after(received(), decided(aDecision([], { earlyMedia: true, groups })), ready, { type: "LegRinging", channel: LEG(0) });
    expect(first.commands).toEqual([]);
    expect(brief(after(first.call, deadline("ring"), ringing(1)).commands)).toEqual(["Ring in"]);
  });

  test.each<readonly [string, Happening, readonly string[]]>([
    ["can't be put into the bridge", commandFailed("AddToBridge", 422, LEG(0)), ["HangUp 0 16", "Originate 1 b"]],
    ["can't be called", commandFailed("Dial", 409, LEG(0)), ["HangUp 0 16", "Originate 1 b"]],
    ["does not answer in time", deadline("ring"), ["HangUp 0 19", "Originate 1 b"]],
    ["is not to be had", gone(LEG(0), 27, 408), ["Originate 1 b"]],
  ])("the next one is rung when it %s", (_, event, expected) => {
    const { call, commands } = after(dialled(), event);
    expect([call.kind, brief(commands).slice(0, -2)]).toEqual(["dialing", expected]);
  });

  test("it did not answer when Asterisk ended it at its time limit, and could not be reached when it went before", () => {
    const endsAfter = (seconds: number) => step(dialled(), { type: "ChannelGone", channel: LEG(0), cause: null, sipStatus: null, at: new Date(AT.getTime() + seconds * 1000) })[0].legs[0];
    expect([endsAfter(20), endsAfter(5)]).toMatchObject([{ result: "no-answer", hangupCause: 19 }, { result: "unreachable" }]);
  });

  test("nobody else is rung for a caller whom it answered while ARI was away, whether it is still there or not", () => {
    const found = (leg: readonly (readonly [string, { readonly up: boolean }])[]): Happening => {
      return { type: "Resynced", channels: new Map([[INBOUND, { up: true }], ...leg]), inBridge: new Set([INBOUND]) };
    };
    expect(after(dialled(), found([[LEG(0), { up: true }]])).call).toMatchObject({ kind: "bridged", winner: LEG(0) });
    const left = after(dialled(), found([]));
    expect(left.call).toMatchObject({ kind: "ending", end: "failed", handedBack: false, notes: [{ reason: "EndUnobserved" }] });
    expect(brief(left.commands)).toEqual(["HangUp in 16", "StartTimer hangup 5"]);
  });

  test("whether it answered a caller who is gone as well after an outage nobody knows", () => {
    const found: Happening = { type: "Resynced", channels: new Map(), inBridge: new Set() };
    expect(after(dialled(), found).call).toMatchObject({ kind: "ended", end: "failed", notes: [{ reason: "EndUnobserved" }] });
    expect(after(made(), found).call).toMatchObject({ kind: "ended", end: "abandoned" });
  });

  test("it is not called before it is there: one that is too young to be in Asterisk's list is waited for", () => {
    const channels = new Map([[INBOUND, { up: false }], [LEG(0), { up: false, young: true }]]);
    expect(brief(after(made(), { type: "Resynced", channels, inBridge: new Set([INBOUND]) }).commands)).toEqual([]);
  });

  test("it is left alone when it may or may not be called: its answer, its end or the ring timer will tell", () => {
    const { call, commands } = after(dialled(), commandFailed("Dial", 0, LEG(0)));
    expect([call.kind, brief(commands)]).toEqual(["dialing", []]);
  });

  test.each([
    ["several ring together", aDecision([["a", "b"]], { earlyMedia: true })],
    ["one hears a whisper", whispering(aDecision([["a"]], { earlyMedia: true }))],
    ["the rule doesn't say so", aDecision([["a"]])],
  ])("not when %s", (_, decision) => {
    const { commands } = after(received(), decided(decision));
    expect(commands.filter((command) => command.type === "Originate" && command.early)).toEqual([]);
  });

  test.each<readonly [string, { readonly up: boolean }, readonly string[], string, readonly string[]]>([
    ["is there and was not called: it is called", { up: false }, [INBOUND], "dialing", ["AddToBridge 0", "Dial 0 20", "StartTimer ring 25"]],
    ["answered: they talk", { up: true }, [INBOUND, LEG(0)], "bridged", ["StartTimer duration 600", "SaveRecord bridged"]],
  ])("after ARI was away, one that %s", (...row) => {
    const [, state, members, kind, wanted] = row;
    const { call, commands } = after(made(), { type: "Resynced", channels: new Map([[INBOUND, { up: false }], [LEG(0), state]]), inBridge: new Set(members) });
    expect([call.kind, brief(commands)]).toEqual([kind, wanted]);
  });

  const DIALS = ["AddToBridge 0", "Dial 0 20", "StartTimer ring 25"];
  test.each<readonly [string, readonly string[] | null, readonly string[]]>([
    ["is called anew where it is not in the bridge: it was not called either", [INBOUND], DIALS],
    ["is called anew in a bridge that was lost with it", [], ["CreateBridge", "AddToBridge in", ...DIALS]],
    ["may have been called where it is in the bridge: twice would end it", [INBOUND, LEG(0)], []],
    ["is left alone where nobody looked into the bridge", null, []],
  ])("one whose call was lost with the socket %s", (_, members, wanted) => {
    const lost = after(dialled(), commandFailed("Dial", 0, LEG(0))).call;
    const found: Happening = { type: "Resynced", channels: new Map([[INBOUND, { up: false }], [LEG(0), { up: false }]]), inBridge: members === null ? null : new Set(members) };
    const { call, commands } = after(lost, found);
    expect([call.kind, brief(commands)]).toEqual(["dialing", wanted]);
    expect(brief(after(dialled(), found).commands).filter((command) => command.startsWith("Dial"))).toEqual([]);
    if (wanted.length > 0) expect(brief(after(call, found).commands).filter((command) => command.startsWith("Dial"))).toEqual([]);
  });
});

describe("the record", () => {
  const later = (seconds: number) => new Date(AT.getTime() + seconds * 1000);

  test.each([
    ["the whisper was heard", () => step(STATES.whispering(), { type: "Whispered", channel: LEG(0), at: later(5) })[0]],
    ["the leg was proven to be there", () => step(STATES.unproven(), { type: "Joined", channel: LEG(0), at: later(5) })[0]],
  ])("says that the caller was answered when %s, and of one who leaves in that moment that he gave up", (_, connecting) => {
    expect(connecting().answeredAt).toEqual(later(5));
    const [call] = step(connecting(), { type: "ChannelGone", channel: INBOUND, cause: 16, sipStatus: null, at: later(5.1) });
    expect(call).toMatchObject({ end: "abandoned", notes: [] });
  });

  test("says who called, by which rule, who was rung and who answered, and when each of that was", () => {
    const context = { ...facts().context, mediaElements: ["hero", "footer"], attributes: { utm_source: "news" } };
    const note = { rule: "default/rule", matched: true, reason: CallReason.Matched, message: "all conditions hold" };
    const happened: readonly (readonly [number, Happening])[] = [
      [1, { type: "Decided", context, decision: aDecision([["a", "b"]], { why: [note] }) }],
      [2, answered(1)],
      [3, joined(1)],
      [4, gone(LEG(0), 26)],
      [5, gone(LEG(1), 16)],
      [6, gone(INBOUND, 16)],
    ];
    const ended = happened.reduce<Call>((call, [seconds, event]) => step(call, { ...event, at: later(seconds) })[0], received());
    const leg = { trunk: "default/carrier", startedAt: later(1), endedAt: later(2) };
    expect(theRecord(ended)).toEqual({
      id: ID,
      ...received().origin,
      answeredAt: later(2),
      bridgedAt: later(3),
      endedAt: later(5),
      end: "completed",
      hangupCause: 16,
      attribution: "exclusive",
      prospect: context.prospect,
      mediaElement: "hero",
      attributes: { utm_source: "news" },
      rule: "default/rule",
      answeredBy: "sip:b@pbx.example",
      bridge: bridgeId(ID),
      legs: [
        { ...leg, channel: LEG(0), destination: "sip:a@pbx.example", answeredAt: null, hangupCause: 26, result: "cancelled" },
        { ...leg, channel: LEG(1), destination: "sip:b@pbx.example", answeredAt: later(2), endedAt: later(5), hangupCause: 16, result: "answered" },
      ],
      why: [note],
    });
  });

  test("of a caller whom Asterisk refused to answer has no answer", () => {
    const { commands } = after(STATES.bridging(), commandFailed("Answer", 500, INBOUND), gone(INBOUND), gone(LEG(1)), gone(LEG(0)));
    expect(commands.at(-1)).toMatchObject({ type: "SaveRecord", record: { end: "failed", answeredAt: null, answeredBy: null } });
  });

  test("that is saved while the callee hears a whisper says of no answer yet", () => {
    const { commands } = after(received(), decidedAhead(whispering(aDecision([["a"]]))), answered(0), { type: "Attributed", context: facts().context });
    expect(commands).toMatchObject([{ type: "SaveRecord", record: { answeredAt: null, answeredBy: null } }]);
  });

  test("of two who may have talked while ARI was away does not say that they did not", () => {
    const [call] = step(STATES.bridging(), { type: "Resynced", channels: new Map(), inBridge: new Set(), at: later(20) });
    expect(call).toMatchObject({ end: "failed" });
    expect(call.notes.map(({ reason }) => reason)).toEqual(["EndUnobserved"]);
  });

  test("of a caller who may have been given away does not say that he gave up: what the dialplan wrote down counts", () => {
    const lost = after(STATES["handed back"](), commandFailed("Continue", 0, INBOUND)).call;
    expect(after(lost, commandFailed("Continue", 404, INBOUND)).call).toMatchObject({ end: "failed", handedBack: true });
    expect(after(STATES["handed back"](), commandFailed("Continue", 404, INBOUND)).call).toMatchObject({ end: "abandoned", handedBack: false });
  });

  test("of a completed call says who answered, when, and how every leg ended", () => {
    const { commands } = after(STATES.bridged(), gone(LEG(1)), gone(INBOUND), gone(LEG(0)));
    const record = commands.flatMap((command) => (command.type === "SaveRecord" ? [command.record] : []))[0];
    expect(record).toMatchObject({
      end: "completed",
      hangupCause: 16,
      answeredBy: "sip:a@pbx.example",
      attribution: "exclusive",
      mediaElement: "hero",
      legs: [{ result: "answered" }, { result: "cancelled" }],
    });
  });

  test.each([
    ["Asterisk's cause of the caller's end", 31, 31],
    ["the cause that the caller was told, where Asterisk tells none", null, 17],
  ])("says %s", (_, cause, expected) => {
    const { call } = after(STATES.bridged(), gone(LEG(1)), gone(LEG(0), 17, 486), gone(INBOUND, cause));
    expect(theRecord(call)).toMatchObject({ end: "completed", hangupCause: expected });
  });

  test("says that Asterisk was restarted when that ended the call, and not when it had ended before", () => {
    const reasons = (before: Call) => theRecord(after(before, EVENTS.AsteriskRestarted).call).why.map(({ reason }) => reason);
    expect([STATES.bridged(), STATES.ending(), STATES.ended()].map(reasons)).toEqual([["AsteriskRestarted"], [], []]);
  });

  test("of a call that nobody could decide claims no attribution and says why it was handed back", () => {
    const { commands } = after(received(), EVENTS.Undecidable, gone(INBOUND, null));
    const record = commands.flatMap((command) => (command.type === "SaveRecord" ? [command.record] : []))[0];
    expect(record).toMatchObject({ end: "failed", attribution: "unavailable", prospect: null, why: [{ reason: "PoolUnknown" }] });
  });
});

describe("after ARI was away", () => {
  const inBridge = new Set([INBOUND]);
  const up = { up: true };
  const down = { up: false };

  const legUp: Happening = { type: "Resynced", channels: new Map([[INBOUND, down], [LEG(0), up], [LEG(1), down]]), inBridge };

  test("a leg that answered meanwhile is joined before the caller is answered: Asterisk may be about to hang it up", () => {
    const { call, commands } = after(STATES.dialing(), legUp);
    expect([call.kind, brief(commands)]).toEqual(["bridging", [...JOIN_FIRST, "HangUp 1 26", "StartTimer duration 600"]]);
    expect(brief(after(call, joined(0)).commands)).toEqual(CONNECT);
    expect(after(call, joined(0), joined(0)).call.kind).toBe("bridged");
  });

  test.each<readonly [string, readonly Happening[]]>([
    ["Asterisk hangs up after all", [commandFailed("AddToBridge", 422, LEG(0)), gone(LEG(0))]],
    ["is not there any more", [commandFailed("AddToBridge", 400, LEG(0))]],
    ["neither comes nor goes", [commandFailed("AddToBridge", 422, LEG(0)), deadline("proof")]],
    ["is missing at the next look", [{ type: "Resynced", channels: new Map([[INBOUND, down]]), inBridge }]],
  ])("a leg that %s costs the caller nothing: the default destination rings, and the record says that somebody picked up in vain", (_, happenings) => {
    const { call, commands } = after(STATES.dialing(), legUp, ...happenings);
    expect(call).toMatchObject({ kind: "ending", end: "failed", handedBack: true, answeredAt: null, notes: [{ reason: "AnsweredUnseen" }], legs: [{ result: "answered" }, { result: "cancelled" }] });
    expect(brief(commands)).toContain("Continue in");
    const record = after(call, gone(LEG(0)), gone(LEG(1)), gone(INBOUND)).commands.flatMap((command) => (command.type === "SaveRecord" ? [command.record] : []))[0];
    expect(record).toMatchObject({ end: "failed", answeredAt: null, answeredBy: null, bridgedAt: null });
  });

  test("a leg that could not join because it was not in the application yet joins when it is", () => {
    const { call, commands } = after(STATES.dialing(), legUp, commandFailed("AddToBridge", 422, LEG(0)), answered(0));
    expect([call.kind, brief(commands)]).toEqual(["bridging", JOIN_FIRST]);
  });

  test("a leg that answered meanwhile hears its whisper, and still joins before the caller is answered", () => {
    const dialing = after(received(), decided(whispering(aDecision([["a"]]))), ringing(0)).call;
    const whispers = after(dialing, { type: "Resynced", channels: new Map([[INBOUND, down], [LEG(0), up]]), inBridge });
    expect(brief(whispers.commands)).toEqual(["Whisper 0", "StartTimer whisper 20", "StartTimer duration 600"]);
    expect(brief(after(whispers.call, commandFailed("Whisper", 409, LEG(0))).commands)).toEqual(JOIN_FIRST);
  });

  test("a bridge that was not made is made", () => {
    const channels = new Map([[INBOUND, down], [LEG(0), down], [LEG(1), down]]);
    expect(brief(after(STATES.dialing(), { type: "Resynced", channels, inBridge: new Set() }).commands)).toEqual(["CreateBridge", "AddToBridge in"]);
  });

  test("a caller whose legs ended unseen is given to the default destination, not sent away", () => {
    const lastGroup = after(received(), decided(aDecision([["a", "b"]]))).call;
    const { call, commands } = after(lastGroup, { type: "Resynced", channels: new Map([[INBOUND, down]]), inBridge });
    expect(brief(commands)).toEqual(GIVE_AWAY);
    expect(call).toMatchObject({ kind: "ending", handedBack: true, notes: [{ reason: "LegsUnseen" }], legs: [{ result: "unreachable" }, { result: "unreachable" }] });
  });

  test("a caller whose legs ended unseen goes on to the next destination", () => {
    const { call, commands } = after(STATES.dialing(), { type: "Resynced", channels: new Map([[INBOUND, down]]), inBridge });
    expect([call.kind, brief(commands)[0]]).toEqual(["dialing", "Originate 2 c"]);
  });

  test("two who talk are left alone; who was to stop ringing and is still there is told again", () => {
    const channels = new Map([[INBOUND, up], [LEG(0), up], [LEG(1), down]]);
    const { call, commands } = after(STATES.bridged(), { type: "Resynced", channels, inBridge: new Set([INBOUND, LEG(0)]) });
    expect([call.kind, brief(commands)]).toEqual(["bridged", ["HangUp 1 26"]]);
  });

  test("an answer that was not carried out is asked for again", () => {
    const channels = new Map([[INBOUND, down], [LEG(0), up], [LEG(1), down]]);
    expect(brief(after(STATES.bridging(), { type: "Resynced", channels, inBridge }).commands)).toEqual(["HangUp 1 26", "Answer in", "AddToBridge 0"]);
  });

  test("phones of an earlier group that are still there are told again to stop ringing", () => {
    const channels = new Map([[INBOUND, down], [LEG(0), down], [LEG(2), down]]);
    expect(brief(after(STATES.dialing(), deadline("ring"), { type: "Resynced", channels, inBridge }).commands)).toEqual(["HangUp 0 26"]);
  });

  test.each<readonly [string, { readonly up: boolean }, readonly string[]]>([
    ["the caller was not answered", down, [INBOUND, LEG(0)]],
    ["the one who answered has not joined", up, [INBOUND]],
    ["the caller is not in the bridge", up, [LEG(0)]],
  ])("they are not taken for connected while %s", (_, inbound, members) => {
    const { call } = after(STATES.bridging(), { type: "Resynced", channels: new Map([[INBOUND, inbound], [LEG(0), up], [LEG(1), down]]), inBridge: new Set(members) });
    expect(call.kind).toBe("bridging");
  });

  test("two who were connected unseen talk: who hangs up then has not given up", () => {
    const { call, commands } = after(STATES.bridging(), { type: "Resynced", channels: new Map([[INBOUND, up], [LEG(0), up], [LEG(1), down]]), inBridge: new Set([INBOUND, LEG(0)]) });
    expect([call.kind, brief(commands)]).toEqual(["bridged", ["HangUp 1 26", "SaveRecord bridged"]]);
    expect(after(call, gone(INBOUND), gone(LEG(0)), gone(LEG(1))).call).toMatchObject({ kind: "ended", end: "completed" });
  });

  test("where nobody rang, a leg that answered unseen is connected in a bridge of its own, and none is made for one that did not", () => {
    const found = (leg: { up: boolean }) => ({ type: "Resynced" as const, channels: new Map([[INBOUND, down], [LEG(0), leg], [LEG(1), down]]), inBridge: new Set<string>() });
    expect(brief(after(STATES["nobody rings"](), found(up)).commands)).toEqual(["CreateBridge", "AddToBridge in", "AddToBridge 0", "StartTimer proof 3", "HangUp 1 26", "StartTimer duration 600"]);
    expect(brief(after(STATES["nobody rings"](), found(down)).commands)).toEqual([]);
  });

  test("a caller who was handed back is handed over again: the dialplan may never have heard of it", () => {
    const channels = new Map([[INBOUND, down], [LEG(0), down]]);
    expect(brief(after(STATES["handed back"](), { type: "Resynced", channels, inBridge }).commands)).toEqual(["Continue in", "HangUp 0 16"]);
  });

  test("a whisper is heard to its end before they are connected", () => {
    const channels = new Map([[INBOUND, down], [LEG(0), up], [LEG(1), down]]);
    expect(brief(after(STATES.whispering(), { type: "Resynced", channels, inBridge }).commands)).toEqual(["HangUp 1 26"]);
  });

  test("hang-ups that were lost are asked for again", () => {
    const channels = new Map([[INBOUND, up], [LEG(0), up], [LEG(1), down]]);
    expect(brief(after(STATES.ending(), { type: "Resynced", channels, inBridge }).commands)).toEqual(["HangUp in 16", "HangUp 0 16", "HangUp 1 16"]);
  });
});
